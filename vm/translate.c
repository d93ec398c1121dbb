/* From verified instructions to dense steps. See code.h for the form.
 *
 * Four walks: fuel (`run` of each instruction, from the end backward), numbering, emission, and fusion of steps in
 * pairs. Everything here relies on the verifier: operands are in range and jumps arrive at instructions.
 */
#include "vm/base/base.h"
#include "vm/code.h"
#include "vm/interpret.h"

typedef struct translator {
    adead_translation    *out;
    const adead_analysis *an;
    adead_flavour         flavour;
    uint32_t             *run;  /* by instruction */
    uint32_t             *step; /* by instruction: its step */
    uint32_t              jump_count;
} translator;

static void count_runs(const translator *t, const adead_function *fn)
{
    for (uint32_t i = fn->end; i-- > fn->first;)
        t->run[i] = (adead_ops[t->an->ops[i]].flags & OPF_CONTROL) ? 1 : t->run[i + 1] + 1;
}

static uint32_t number_steps(const translator *t, const adead_function *fn, uint32_t next)
{
    for (uint32_t i = fn->first; i < fn->end; i++) t->step[i] = next++;
    return next;
}

static int32_t distance(const translator *t, const adead_function *fn, uint32_t from_step, uint32_t offset)
{
    uint32_t target = adead_find_instruction(t->an, fn->first, fn->end, offset);
    return (int32_t)(((int64_t)t->step[target] - (int64_t)from_step) * (int64_t)sizeof(adead_step));
}

static void emit_call(translator *t, const adead_function *fn, adead_step *step, uint32_t number,
                      const adead_instruction *in)
{
    uint32_t              index = adead_find_function(t->an, adead_word(in, 0));
    const adead_function *callee = &t->an->functions[index];
    step->a = (uint16_t)adead_word(in, 1);
    step->b = fn->registers;
    step->c = callee->params;
    step->d = callee->registers;
    step->imm = (int32_t)(((int64_t)t->step[callee->first] - (int64_t)number) * (int64_t)sizeof(adead_step));
}

static void emit_jump_table(translator *t, const adead_function *fn, adead_step *step, uint32_t number,
                            const adead_instruction *in)
{
    step->a = (uint16_t)adead_word(in, 0);
    step->b = (uint16_t)(in->count - 1);
    step->imm = (int32_t)t->jump_count;
    for (uint32_t w = 1; w < in->count; w++) t->out->jumps[t->jump_count++] = distance(t, fn, number, adead_word(in, w));
}

/* Registers go to a, b, c, d in order, the one immediate to imm (a 64-bit one also to c and d). Instructions with other
 * kinds of operands read them from the stream when they run: they are slow anyway. */
static void emit_operands(translator *t, const adead_function *fn, adead_step *step, uint32_t number,
                          const adead_instruction *in)
{
    uint16_t *slots[] = {&step->a, &step->b, &step->c, &step->d};
    uint32_t  slot = 0, word = 0;
    for (const char *kind = adead_ops[in->op].operands; *kind; kind++) {
        uint32_t value = adead_word(in, word);
        switch (*kind) {
        case ADEAD_KIND_REG_WRITE:
        case ADEAD_KIND_REG_READ: *slots[slot++] = (uint16_t)value; break;
        case ADEAD_KIND_IMM_I64:
        case ADEAD_KIND_IMM_F64: {
            uint32_t high = adead_word(in, word + 1);
            step->c = (uint16_t)high;
            step->d = (uint16_t)(high >> 16);
            step->imm = (int32_t)value;
            break;
        }
        case ADEAD_KIND_JUMP: step->imm = distance(t, fn, number, value); break;
        default: step->imm = (int32_t)value; break;
        }
        word += adead_operand_words(*kind);
    }
}

/* Compare-with-immediate jumps have two 32-bit fields: the limit lies in c and d, the distance in imm. */
static void set_limit(adead_step *step, uint32_t limit)
{
    step->c = (uint16_t)limit;
    step->d = (uint16_t)(limit >> 16);
}

static void emit(translator *t, const adead_function *fn, uint32_t i)
{
    adead_instruction in = adead_instruction_at(t->an, i);
    uint32_t          number = t->step[i];
    adead_step       *step = &t->out->steps[number];
    step->run = t->run[i];
    step->handler = adead_step_handler((uint32_t)in.op, t->flavour);
    t->out->instructions[number] = i;
    if (in.op == ADEAD_OP_CALL) emit_call(t, fn, step, number, &in);
    else if (in.op == ADEAD_OP_JUMP_TABLE) emit_jump_table(t, fn, step, number, &in);
    else if (in.op == ADEAD_OP_RETURN) step->a = fn->results;
    else if (in.op == ADEAD_OP_CALL_INDIRECT) {
        step->a = (uint16_t)adead_word(&in, 1);
        step->b = fn->registers;
        step->c = (uint16_t)adead_word(&in, 0);
        step->imm = (int32_t)adead_word(&in, 2);
    } else if (in.op == ADEAD_OP_CALL_FOREIGN) {
        step->a = (uint16_t)adead_word(&in, 1);
        step->b = fn->registers;
        step->imm = (int32_t)adead_word(&in, 0);
    } else if (strcmp(adead_ops[in.op].operands, "sij") == 0) {
        step->a = (uint16_t)adead_word(&in, 0);
        set_limit(step, adead_word(&in, 1));
        step->imm = distance(t, fn, number, adead_word(&in, 2));
    } else emit_operands(t, fn, step, number, &in);
}

/* Lets the step of instruction i execute i + 1 too, where there is a step for the two. */
static void fuse(const translator *t, uint32_t i)
{
    adead_step *step = &t->out->steps[t->step[i]], *then = step + 1;
    uint32_t    number, slot;
    switch ((uint32_t)t->an->ops[i] << 16 | t->an->ops[i + 1]) {
#define FUSED(first, second, where)                                  \
    case (uint32_t)ADEAD_OP_##first << 16 | ADEAD_OP_##second:       \
        number = ADEAD_STEP_##first##_##second;                      \
        slot = #where[0];                                            \
        break;
        ADEAD_FUSED_STEPS(FUSED)
#undef FUSED
    default: return;
    }
    if (slot == 'e' && then->b == step->a) { /* the order does not matter: the result goes to c */
        then->b = then->c;
        then->c = step->a;
    }
    if (slot == 'a' && then->a != step->a) return;
    if ((slot == 'e' || slot == 'c') && then->c != step->a) return;
    step->handler = adead_step_handler(number, t->flavour);
}

static adead_status no_memory(adead_failure *failure)
{
    return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left to translate the program");
}

static adead_status translate(translator *t, adead_arena *scratch, adead_failure *failure)
{
    const adead_analysis *an = t->an;
    adead_translation    *out = t->out;
    t->run = adead_arena_array(scratch, an->instruction_count, sizeof *t->run, 4);
    t->step = adead_arena_array(scratch, an->instruction_count, sizeof *t->step, 4);
    if (!t->run || !t->step) return no_memory(failure);
    uint32_t steps = 0, jumps = 0;
    for (uint32_t f = 0; f < an->function_count; f++) {
        count_runs(t, &an->functions[f]);
        steps = number_steps(t, &an->functions[f], steps);
    }
    for (uint32_t i = 0; i < an->instruction_count; i++)
        if (an->ops[i] == ADEAD_OP_JUMP_TABLE) jumps += adead_instruction_at(an, i).count - 1;

    /* Two more steps at the end: where the entry function returns to, and the halt behind it. */
    out->steps = adead_arena_array(&out->arena, (uint64_t)steps + 2, sizeof *out->steps, 16);
    out->instructions = adead_arena_array(&out->arena, (uint64_t)steps + 2, sizeof *out->instructions, 4);
    out->entries = adead_arena_array(&out->arena, an->function_count, sizeof *out->entries, 4);
    out->jumps = adead_arena_array(&out->arena, jumps, sizeof *out->jumps, 4);
    if (!out->steps || !out->instructions || !out->entries || !out->jumps) return no_memory(failure);
    out->step_count = steps;
    for (uint32_t f = 0; f < an->function_count; f++) {
        const adead_function *fn = &an->functions[f];
        out->entries[f] = t->step[fn->first];
        for (uint32_t i = fn->first; i < fn->end; i++) emit(t, fn, i);
        if (t->flavour == ADEAD_FLAVOUR_FAST)
            for (uint32_t i = fn->first; i + 1 < fn->end; i++) fuse(t, i);
    }
    out->steps[steps].handler = adead_step_handler(ADEAD_OP_CALL, ADEAD_FLAVOUR_FAST);
    out->steps[steps + 1].handler = adead_step_handler(ADEAD_OP_HALT, ADEAD_FLAVOUR_FAST);
    return ADEAD_OK;
}

adead_status adead_translate(adead_translation *translation, const adead_analysis *analysis, adead_flavour flavour,
                             const adead_host *host, adead_failure *failure)
{
    translator  t = {.out = translation, .an = analysis, .flavour = flavour};
    adead_arena scratch;
    *translation = (adead_translation){.flavour = flavour};
    adead_arena_open(&translation->arena, host);
    adead_arena_open(&scratch, host);
    adead_status status = translate(&t, &scratch, failure);
    adead_arena_close(&scratch);
    if (status) adead_arena_close(&translation->arena);
    return status;
}

adead_status adead_code_create(const adead_image *image, const adead_host *host, adead_code **code, adead_failure *failure)
{
    adead_code *made = host->allocate(host->context, sizeof *made);
    if (!made) return no_memory(failure);
    made->host = *host;
    adead_status status = adead_analyse(&made->analysis, image, host, failure);
    if (!status) {
        status = adead_translate(&made->fast, &made->analysis, ADEAD_FLAVOUR_FAST, host, failure);
        if (status) adead_arena_close(&made->analysis.arena);
    }
    if (status) host->release(host->context, made, sizeof *made);
    else *code = made;
    return status;
}

void adead_code_destroy(adead_code *code)
{
    if (!code) return;
    adead_host host = code->host;
    adead_arena_close(&code->fast.arena);
    adead_arena_close(&code->analysis.arena);
    host.release(host.context, code, sizeof *code);
}

void adead_code_get_facts(const adead_code *code, adead_code_facts *facts) { *facts = code->analysis.facts; }
