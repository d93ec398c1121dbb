/* Programs: reading them from bytes, files and assembly text, verifying them once, writing them in any format, telling
 * what is in them. A program is immutable after loading except for the verdict, which is published with one atomic
 * exchange: threads that verify at the same time each compute it, the first wins, the others throw theirs away.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

_Static_assert(ADEAD_PROGRAM_AGPU == (int)ADEAD_FORMAT_AGPU1 && ADEAD_PROGRAM_HEX == (int)ADEAD_FORMAT_TEXT1 &&
                   ADEAD_PROGRAM_AHYB == (int)ADEAD_FORMAT_AHYB1 && ADEAD_PROGRAM_BINARY == (int)ADEAD_FORMAT_ADEAD2 &&
                   ADEAD_PROGRAM_TEXT == (int)ADEAD_FORMAT_ADEAD2_TEXT,
               "the public header numbers the formats as hex/image.h does");

/* ---- Reading a file ---- */

typedef struct file_bytes {
    const adead_host *host;
    uint8_t          *bytes;
    size_t            size, room;
} file_bytes;

static void file_bytes_free(file_bytes *file)
{
    if (file->bytes) file->host->release(file->host->context, file->bytes, file->room);
    file->bytes = NULL;
}

static bool file_bytes_grow(file_bytes *file, size_t room)
{
    uint8_t *bytes = file->host->allocate(file->host->context, room);
    if (!bytes) return false;
    if (file->size) memcpy(bytes, file->bytes, file->size);
    file_bytes_free(file);
    file->bytes = bytes;
    file->room = room;
    return true;
}

/* Paths are UTF-8 everywhere; Windows wants them as UTF-16. */
static FILE *open_for_reading(const char *path)
{
#if defined(_WIN32)
    wchar_t wide[1024];
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, 1024) == 0) {
        errno = EINVAL;
        return NULL;
    }
    return _wfopen(wide, L"rb");
#else
    return fopen(path, "rb");
#endif
}

/* The size of a regular file plus one, so that one read sees its end; 64 KiB where the size is not to be had. */
static size_t first_room(FILE *stream)
{
    size_t room = 65536;
    if (fseek(stream, 0, SEEK_END) == 0) {
        long size = ftell(stream);
        if (size >= 0 && (uint64_t)size <= ADEAD_FILE_MAX) room = (size_t)size + 1;
        if (fseek(stream, 0, SEEK_SET) != 0) room = 65536;
    }
    return room;
}

static adead_status read_stream(FILE *stream, const char *path, file_bytes *file, adead_failure *failure)
{
    size_t room = first_room(stream);
    for (;;) {
        if (file->size == file->room) {
            if (file->room) room = file->room * 2;
            if (room > ADEAD_FILE_MAX + 1) room = (size_t)ADEAD_FILE_MAX + 1;
            if (!file_bytes_grow(file, room))
                return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory to read %.200s", path);
        }
        errno = 0;
        file->size += fread(file->bytes + file->size, 1, file->room - file->size, stream);
        if (file->size > ADEAD_FILE_MAX) {
            return adead_fail(failure, ADEAD_CANNOT_READ, ADEAD_NO_OFFSET, "%.200s is larger than %llu bytes", path,
                              (unsigned long long)ADEAD_FILE_MAX);
        }
        if (ferror(stream)) {
            return adead_fail(failure, ADEAD_CANNOT_READ, ADEAD_NO_OFFSET, "%.200s cannot be read: %s", path,
                              errno ? strerror(errno) : "the system reported an error");
        }
        if (feof(stream)) return ADEAD_OK;
    }
}

static adead_status read_file(const char *path, file_bytes *file, adead_failure *failure)
{
    errno = 0;
    FILE *stream = open_for_reading(path);
    if (!stream) {
        return adead_fail(failure, ADEAD_CANNOT_READ, ADEAD_NO_OFFSET, "%.200s cannot be opened: %s", path,
                          errno ? strerror(errno) : "the system reported an error");
    }
    adead_status status = read_stream(stream, path, file, failure);
    fclose(stream);
    if (status != ADEAD_OK) file_bytes_free(file);
    return status;
}

/* ---- Loading ---- */

typedef adead_status (*image_reader)(adead_image *image, const void *bytes, uint64_t size, const adead_host *host,
                                     adead_failure *failure);

static adead_status read_assembly(adead_image *image, const void *bytes, uint64_t size, const adead_host *host,
                                  adead_failure *failure)
{
    return adead_assemble(image, bytes, size, host, failure);
}

static adead_status load(adead_runtime *runtime, image_reader reader, const void *bytes, size_t size, adead_program **out,
                         adead_failure *failure)
{
    adead_program *program = runtime->host.allocate(runtime->host.context, sizeof *program);
    if (!program) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for a program");
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = reader(&program->image, bytes, size, &runtime->host, failure);
    adead_fpenv_leave(fpenv);
    if (status != ADEAD_OK) {
        runtime->host.release(runtime->host.context, program, sizeof *program);
        return status;
    }
    atomic_init(&program->references, 1);
    atomic_init(&program->verdict, NULL);
    program->runtime = runtime;
    adead_runtime_retain(runtime);
    *out = program;
    return ADEAD_OK;
}

static int load_checked(const char *function, image_reader reader, adead_runtime *runtime, const void *bytes, size_t size,
                        adead_program **program)
{
    if (!program) return adead_error_null(function, "program");
    *program = NULL;
    if (!runtime) return adead_error_null(function, "runtime");
    if (!bytes && size) return adead_error_null(function, "bytes");
    ADEAD_FAILURE_NONE(failure);
    adead_status status = load(runtime, reader, bytes ? bytes : "", size, program, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

int adead_program_load(adead_runtime *runtime, const void *bytes, size_t size, adead_program **program)
{
    return load_checked("adead_program_load", adead_image_read, runtime, bytes, size, program);
}

int adead_program_assemble(adead_runtime *runtime, const char *text, size_t size, adead_program **program)
{
    return load_checked("adead_program_assemble", read_assembly, runtime, text, size, program);
}

int adead_program_load_file(adead_runtime *runtime, const char *path, adead_program **program)
{
    if (!program) return adead_error_null("adead_program_load_file", "program");
    *program = NULL;
    if (!runtime) return adead_error_null("adead_program_load_file", "runtime");
    if (!path) return adead_error_null("adead_program_load_file", "path");
    ADEAD_FAILURE_NONE(failure);
    file_bytes   file = {&runtime->host, NULL, 0, 0};
    adead_status status = read_file(path, &file, &failure);
    if (status == ADEAD_OK) status = load(runtime, adead_image_read, file.bytes, file.size, program, &failure);
    file_bytes_free(&file);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

void adead_program_retain(adead_program *program)
{
    atomic_fetch_add_explicit(&program->references, 1, memory_order_relaxed);
}

static void verdict_free(const adead_host *host, adead_verdict *verdict)
{
    if (!verdict) return;
    if (verdict->code) adead_code_destroy(verdict->code);
    host->release(host->context, verdict, sizeof *verdict);
}

void adead_program_release(adead_program *program)
{
    if (atomic_fetch_sub_explicit(&program->references, 1, memory_order_acq_rel) != 1) return;
    adead_runtime *runtime = program->runtime;
    verdict_free(&runtime->host, atomic_load(&program->verdict));
    adead_image_close(&program->image);
    runtime->host.release(runtime->host.context, program, sizeof *program);
    adead_runtime_release(runtime);
}

void adead_program_destroy(adead_program *program)
{
    if (program) adead_program_release(program);
}

/* ---- Verifying ---- */

const adead_verdict *adead_program_verdict(adead_program *program, adead_failure *failure)
{
    adead_verdict *known = atomic_load_explicit(&program->verdict, memory_order_acquire);
    if (known) return known;

    const adead_host *host = &program->runtime->host;
    adead_verdict    *mine = host->allocate(host->context, sizeof *mine);
    if (!mine) {
        adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory to verify the program");
        return NULL;
    }
    adead_fpenv fpenv = adead_fpenv_enter();
    mine->status = adead_code_create(&program->image, host, &mine->code, &mine->failure);
    adead_fpenv_leave(fpenv);
    if (mine->status == ADEAD_NO_MEMORY) { /* says nothing about the program: the next call may know more */
        *failure = mine->failure;
        mine->code = NULL;
        verdict_free(host, mine);
        return NULL;
    }
    if (mine->status == ADEAD_OK) adead_code_get_facts(mine->code, &mine->facts);
    else mine->code = NULL;

    if (!atomic_compare_exchange_strong(&program->verdict, &known, mine)) {
        verdict_free(host, mine);
        return known;
    }
    return mine;
}

int adead_program_verify(adead_program *program)
{
    if (!program) return adead_error_null("adead_program_verify", "program");
    ADEAD_FAILURE_NONE(failure);
    const adead_verdict *verdict = adead_program_verdict(program, &failure);
    if (!verdict) return adead_error_publish(ADEAD_NO_MEMORY, &failure);
    if (verdict->status == ADEAD_OK) return ADEAD_OK;
    failure = verdict->failure;
    return adead_error_publish(verdict->status, &failure);
}

/* ---- Writing ---- */

/* The lower layers' sinks say "go on" with true, the public ones with 0. */
typedef struct public_sink {
    adead_write_fn write;
    void          *context;
} public_sink;

static bool public_sink_write(void *context, const void *bytes, uint64_t size)
{
    public_sink *sink = context;
    return size == 0 || sink->write(sink->context, bytes, (size_t)size) == 0;
}

int adead_program_write(adead_program *program, int format, adead_write_fn write, void *context)
{
    if (!program) return adead_error_null("adead_program_write", "program");
    if (!write) return adead_error_null("adead_program_write", "write");
    if (format < ADEAD_PROGRAM_AGPU || format > ADEAD_PROGRAM_TEXT)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "%d is no program format (ADEAD_PROGRAM_...)", format);
    ADEAD_FAILURE_NONE(failure);
    public_sink  sink = {write, context};
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = adead_image_write(&program->image, (adead_format)format, &program->runtime->host,
                                            public_sink_write, &sink, &failure);
    adead_fpenv_leave(fpenv);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

int adead_program_disassemble(adead_program *program, adead_write_fn write, void *context)
{
    if (!program) return adead_error_null("adead_program_disassemble", "program");
    if (!write) return adead_error_null("adead_program_disassemble", "write");
    ADEAD_FAILURE_NONE(failure);
    public_sink  sink = {write, context};
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = adead_disassemble(&program->image, &program->runtime->host, public_sink_write, &sink, &failure);
    adead_fpenv_leave(fpenv);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

/* ---- Asking ---- */

int adead_program_get_info(adead_program *program, adead_program_info *caller)
{
    if (!program) return adead_error_null("adead_program_get_info", "program");
    if (!caller) return adead_error_null("adead_program_get_info", "info");
    uint32_t room = adead_struct_room(caller, sizeof *caller, sizeof(adead_program_info));
    if (!room) return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_program_info.size is not sizeof(adead_program_info)");

    adead_program_info info;
    memset(&info, 0, sizeof info);
    ADEAD_FAILURE_NONE(failure);
    const adead_image   *image = &program->image;
    const adead_verdict *verdict = adead_program_verdict(program, &failure);
    if (!verdict) return adead_error_publish(ADEAD_NO_MEMORY, &failure);
    /* x86-64 code has no place in a version-2 container: such a program has information, but no digest. */
    adead_status status = adead_image_digest(image, &program->runtime->host, info.digest, &failure);
    if (status != ADEAD_OK && status != ADEAD_WOULD_LOSE) return adead_error_publish(status, &failure);

    info.size = caller->size;
    info.format = (uint32_t)image->format;
    info.code_bytes = image->code_size;
    for (uint32_t i = 0; i < image->segment_count; i++) info.data_bytes += image->segments[i].size;
    info.instructions = verdict->facts.instructions;
    info.functions = verdict->facts.functions;
    info.tensor_instructions = verdict->facts.tensor_instructions;
    info.uses_device = verdict->facts.uses_device;
    info.uses_vulkan = verdict->facts.uses_vulkan;
    info.uses_tasks = verdict->facts.uses_tasks;
    info.memory_initial = image->memory_initial;
    info.memory_maximum = image->memory_maximum;
    info.inputs = image->input_count;
    info.outputs = image->output_count;
    info.imports = image->import_count;
    info.names = image->name_count;
    info.table_entries = image->table_count;
    info.native_bytes = image->native_size;
    memcpy(caller, &info, room);
    return ADEAD_OK;
}

static void declaration_from_port(const adead_port *port, adead_tensor *out)
{
    memset(out, 0, sizeof *out);
    out->name = port->name;
    out->dtype = port->dtype;
    out->rank = port->rank;
    memcpy(out->dims, port->dims, port->rank * sizeof out->dims[0]);
}

static int no_input(const adead_program *program, uint32_t index)
{
    return adead_error_make(ADEAD_INVALID_ARGUMENT, "there is no input %u: the program declares %u", (unsigned)index,
                            (unsigned)program->image.input_count);
}

int adead_program_input(adead_program *program, uint32_t index, adead_tensor *declaration)
{
    if (!program) return adead_error_null("adead_program_input", "program");
    if (!declaration) return adead_error_null("adead_program_input", "declaration");
    if (index >= program->image.input_count) return no_input(program, index);
    declaration_from_port(&program->image.inputs[index], declaration);
    return ADEAD_OK;
}

int adead_program_input_default(adead_program *program, uint32_t index, adead_tensor *value)
{
    if (!program) return adead_error_null("adead_program_input_default", "program");
    if (!value) return adead_error_null("adead_program_input_default", "value");
    if (index >= program->image.input_count) return no_input(program, index);
    const adead_port *port = &program->image.inputs[index];
    if (!port->has_default) return adead_error_make(ADEAD_MISSING_INPUT, "input '%s' has no default", port->name);
    declaration_from_port(port, value);
    memcpy(value->dims, port->default_dims, port->rank * sizeof value->dims[0]);
    value->data = port->default_bytes;
    value->bytes = port->default_size;
    return ADEAD_OK;
}

int adead_program_output(adead_program *program, uint32_t index, adead_tensor *declaration)
{
    if (!program) return adead_error_null("adead_program_output", "program");
    if (!declaration) return adead_error_null("adead_program_output", "declaration");
    if (index >= program->image.output_count) {
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "there is no output %u: the program declares %u", (unsigned)index,
                                (unsigned)program->image.output_count);
    }
    declaration_from_port(&program->image.outputs[index], declaration);
    return ADEAD_OK;
}

const char *adead_program_import(adead_program *program, uint32_t index)
{
    if (!program || index >= program->image.import_count) return NULL;
    return program->image.imports[index].name;
}

const char *adead_program_import_signature(adead_program *program, uint32_t index)
{
    if (!program || index >= program->image.import_count) return NULL;
    return program->image.imports[index].signature;
}
