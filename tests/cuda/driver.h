/* What the files of the software driver share: its state, handles, what each call begins and ends with. */
#ifndef TESTS_CUDA_DRIVER_H
#define TESTS_CUDA_DRIVER_H

#include "tests/cuda/ptx.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API __attribute__((visibility("default")))
typedef int      CUresult, CUdevice;
typedef uint64_t handle; /* every opaque pointer; as wide as one */
typedef uint64_t CUdeviceptr;

enum {
    OK = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    NO_BINARY = 209,
    INVALID_PTX = 218,
    UNSUPPORTED_PTX = 222,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    OUT_OF_RESOURCES = 701,
    LAUNCH_FAILED = 719,
    NOT_SUPPORTED = 801,
    UNKNOWN = 999
};
enum { MAX_DEVICES = 8, MAX_STACK = 64, FILL = 0xA5 };

typedef enum object_kind { CONTEXT = 1, STREAM, EVENT, MODULE, FUNCTION } object_kind;

typedef struct device {
    unsigned number, retained;
    handle   context;
    memory   memory;
    bool     open;
    int      broken; /* the error that made its context unusable */
} device;

typedef enum command_kind { LAUNCH, TO_DEVICE, TO_HOST, ON_DEVICE, SET8, SET32, RECORD, WAIT } command_kind;
typedef struct command {
    struct command *next;
    command_kind    kind;
    uint64_t        to, from, count; /* device addresses, or pointers of the host */
    uint32_t        value;
    unsigned char  *bytes;           /* parameters, or what came from pageable memory */
    kernel         *kernel;
    uint32_t        grid[3], block[3], dynamic_bytes;
    handle          event;
    uint64_t        number; /* of the record */
} command;

typedef struct object {
    object_kind kind;
    bool        live;
    device     *device;
    /* a stream */
    command    *first, **last;
    unsigned    flags, queries;
    bool        running;
    /* an event */
    uint64_t    recorded, reached; /* numbers of records: asked for, done */
    handle      stream;
    double      time;
    /* a module, a function */
    module     *module;
    kernel     *kernel;
    handle      parent;
} object;

typedef struct pinned { unsigned char *at; size_t size; } pinned;
typedef struct fault { char call[48]; uint64_t at; int code; } fault;

typedef struct state {
    pthread_mutex_t lock;
    bool            ready;
    unsigned        device_count, capability, version, lies, workers;
    uint64_t        memory;
    bool            strict, races, reversed;
    FILE           *log;
    fault           faults[16];
    unsigned        fault_count;
    char            fault_text[512];
    struct { const char *call; uint64_t count; } counts[64];
    uint64_t        calls, records;
    object        **objects;
    size_t          object_count, object_room;
    pinned         *pins;
    size_t          pin_count, pin_room;
    device          devices[MAX_DEVICES];
} state;
typedef struct context_stack { handle stack[MAX_STACK]; unsigned depth; } context_stack;
extern state softcuda;
extern _Thread_local context_stack softcuda_current; /* contexts of this thread */

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
handle  add_object(object_kind kind, device *on, object **out);
object *find_object(object_kind kind, handle h);
void    drop_object(object *o);
bool    is_pinned(uint64_t at, uint64_t size);

#define HANDLE(kind, number) (UINT64_C(0x5C0D0000) << 32 | (uint64_t)(kind) << 32 | (uint64_t)(number))

#define ENTER                                  \
    CUresult entered = enter(__func__);        \
    if (entered) return leave(__func__, entered)
#define LEAVE(result) return leave(__func__, (result))
#define REQUIRE(condition, result) \
    do {                           \
        if (!(condition)) LEAVE(result); \
    } while (0)
/* The current context's device, which must be in working order. */
#define CONTEXT_OR_LEAVE(on)                                                                                      \
    ENTER;                                                                                                        \
    object *context =                                                                                             \
        softcuda_current.depth ? find_object(CONTEXT, softcuda_current.stack[softcuda_current.depth - 1]) : NULL; \
    REQUIRE(context, INVALID_CONTEXT);                                                                            \
    device *on = context->device;                                                                                 \
    REQUIRE(!on->broken, on->broken)

/* Every call: counts it, and its result if it is to fail now; the other way out. */
CUresult enter(const char *name);
CUresult leave(const char *name, CUresult result);
uint32_t most_shared(bool opt_in);

#endif
