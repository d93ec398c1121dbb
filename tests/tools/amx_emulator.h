/* AMX-INT8 for processors without it, for tests on Linux: a handler of SIGILL that executes the tile instructions in
 * software, checks what the processor would check, and goes on behind them. Include in one C file.
 *
 * Known: LDTILECFG, TILERELEASE, TILEZERO, TILELOADD, TILELOADDT1, TILESTORED, TDPBSSD, memory operands in every form
 * of addressing but relative to the instruction. Whatever breaks a rule of theirs (or is no tile instruction) ends the
 * process with a message: an illegal configuration, a tile used without one or out of its shape, operands that do not
 * fit. Tile registers belong to a thread, as in the processor.
 */
#ifndef ADEAD_AMX_EMULATOR_H
#define ADEAD_AMX_EMULATOR_H

#include <stdbool.h>

#if defined(__linux__) && defined(__x86_64__)

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { AMX_TILES = 8, AMX_ROWS = 16, AMX_ROW_BYTES = 64 };

static _Thread_local struct {
    bool     configured;
    uint8_t  rows[AMX_TILES];
    uint16_t row_bytes[AMX_TILES];
    uint8_t  data[AMX_TILES][AMX_ROWS][AMX_ROW_BYTES];
} amx_state;

static uint64_t amx_executed; /* tile products, for tests that want to know that there were any */

static _Noreturn void amx_die(const char *why)
{
    static const char head[] = "AMX emulator: ";
    if (write(2, head, sizeof head - 1) < 0 || write(2, why, strlen(why)) < 0 || write(2, "\n", 1) < 0) _exit(3);
    _exit(3);
}

static uint64_t amx_register(const ucontext_t *u, unsigned number)
{
    static const int where[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return (uint64_t)u->uc_mcontext.gregs[where[number]];
}

/* An instruction's memory operand. */
typedef struct amx_operand {
    uint64_t address; /* for the tiles' loads and stores: of the first row */
    int64_t  stride;  /* index times scale */
    bool     sib;
    unsigned length;  /* bytes of ModRM, SIB and displacement */
} amx_operand;

/* rex: bit 0 extends the base, bit 1 the index. With `strided` the index counts as the stride, not as part of the
 * address. */
static amx_operand amx_decode(const ucontext_t *u, const uint8_t *modrm, unsigned rex, bool strided)
{
    amx_operand o = {.length = 1};
    unsigned    mode = modrm[0] >> 6, base = modrm[0] & 7;
    bool        has_base = true;
    if (base == 4) {
        uint8_t  sib = modrm[1];
        unsigned index = (sib >> 3 & 7) | (rex >> 1 & 1) << 3;
        o.sib = true;
        o.length = 2;
        base = sib & 7;
        if (index != 4) o.stride = (int64_t)(amx_register(u, index) << (sib >> 6));
        has_base = !(base == 5 && mode == 0);
    } else if (base == 5 && mode == 0) {
        amx_die("addresses relative to the instruction are not decoded");
    }
    if (has_base) o.address = amx_register(u, base | (rex & 1) << 3);
    if (mode == 1) {
        o.address += (uint64_t)(int64_t)(int8_t)modrm[o.length];
        o.length += 1;
    } else if (mode == 2 || !has_base) {
        int32_t displacement;
        memcpy(&displacement, modrm + o.length, 4);
        o.address += (uint64_t)(int64_t)displacement;
        o.length += 4;
    }
    if (!strided) o.address += (uint64_t)o.stride;
    return o;
}

static void amx_configure(uint64_t address)
{
    const uint8_t *config = (const uint8_t *)(uintptr_t)address;
    memset(&amx_state, 0, sizeof amx_state);
    if (config[0] == 0) return;
    if (config[0] != 1) amx_die("LDTILECFG: a palette other than 0 and 1");
    for (int i = 1; i < 16; i++)
        if (config[i] != 0) amx_die("LDTILECFG: start_row or a reserved byte is not 0");
    for (int t = 0; t < 16; t++) {
        uint16_t bytes = (uint16_t)(config[16 + 2 * t] | config[17 + 2 * t] << 8);
        uint8_t  rows = config[48 + t];
        if (t >= AMX_TILES && (bytes || rows)) amx_die("LDTILECFG: a tile beyond the eighth");
        if (t >= AMX_TILES) continue;
        if (bytes > AMX_ROW_BYTES || rows > AMX_ROWS) amx_die("LDTILECFG: a tile of more than 16 rows or 64 bytes");
        if ((bytes == 0) != (rows == 0)) amx_die("LDTILECFG: a tile with rows but no columns, or columns but no rows");
        amx_state.row_bytes[t] = bytes;
        amx_state.rows[t] = rows;
    }
    amx_state.configured = true;
}

static void amx_need(unsigned tile, const char *why)
{
    if (!amx_state.configured || tile >= AMX_TILES || amx_state.rows[tile] == 0) amx_die(why);
}

static void *amx_row(amx_operand o, uint64_t row) { return (void *)(uintptr_t)(o.address + row * (uint64_t)o.stride); }

static void amx_load(unsigned tile, amx_operand o)
{
    amx_need(tile, "TILELOADD: no such tile in the configuration");
    if (!o.sib) amx_die("TILELOADD: a memory operand without SIB");
    memset(amx_state.data[tile], 0, sizeof amx_state.data[tile]);
    for (uint64_t r = 0; r < amx_state.rows[tile]; r++)
        memcpy(amx_state.data[tile][r], amx_row(o, r), amx_state.row_bytes[tile]);
}

static void amx_store(unsigned tile, amx_operand o)
{
    amx_need(tile, "TILESTORED: no such tile in the configuration");
    if (!o.sib) amx_die("TILESTORED: a memory operand without SIB");
    for (uint64_t r = 0; r < amx_state.rows[tile]; r++)
        memcpy(amx_row(o, r), amx_state.data[tile][r], amx_state.row_bytes[tile]);
}

/* sums[m][n] += a[m][k] b[k][n], four signed bytes at a time, modulo 2^32. */
static void amx_product(unsigned sums, unsigned a, unsigned b)
{
    amx_need(sums, "TDPBSSD: no such destination in the configuration");
    amx_need(a, "TDPBSSD: no such first source in the configuration");
    amx_need(b, "TDPBSSD: no such second source in the configuration");
    if (sums == a || sums == b || a == b) amx_die("TDPBSSD: one tile in two roles");
    if (amx_state.row_bytes[sums] % 4 || amx_state.row_bytes[a] % 4 || amx_state.row_bytes[b] % 4)
        amx_die("TDPBSSD: a row that is not a multiple of 4 bytes");
    if (amx_state.rows[sums] != amx_state.rows[a] || amx_state.row_bytes[sums] != amx_state.row_bytes[b] ||
        amx_state.rows[b] != amx_state.row_bytes[a] / 4)
        amx_die("TDPBSSD: shapes that do not fit");
    for (int m = 0; m < amx_state.rows[sums]; m++) {
        for (int n = 0; n < amx_state.row_bytes[sums] / 4; n++) {
            uint32_t sum;
            memcpy(&sum, &amx_state.data[sums][m][4 * n], 4);
            for (int k = 0; k < amx_state.rows[b]; k++)
                for (int i = 0; i < 4; i++)
                    sum += (uint32_t)((int8_t)amx_state.data[a][m][4 * k + i] * (int8_t)amx_state.data[b][k][4 * n + i]);
            memcpy(&amx_state.data[sums][m][4 * n], &sum, 4);
        }
    }
    __atomic_fetch_add(&amx_executed, 1, __ATOMIC_RELAXED);
}

/* All are VEX.128.W0 of map 0F38: C4, R X B and the map, W vvvv L pp, opcode, ModRM. pp: 0 none, 1 66, 2 F3, 3 F2.
 * Registers above 7 do not exist, so R must be unset (it is stored inverted) and vvvv is a tile or 15. */
static void amx_on_illegal(int signal, siginfo_t *info, void *context)
{
    ucontext_t    *u = context;
    const uint8_t *code = (const uint8_t *)(uintptr_t)u->uc_mcontext.gregs[REG_RIP];
    unsigned       rex = ((code[1] >> 5 & 1) ^ 1) | ((code[1] >> 6 & 1) ^ 1) << 1;
    unsigned       pp = code[2] & 3, vvvv = (code[2] >> 3 & 15) ^ 15;
    unsigned       opcode = code[3], modrm = code[4], reg = modrm >> 3 & 7, length = 1;
    bool           memory = modrm >> 6 != 3;
    (void)signal;
    (void)info;
    if (code[0] != 0xC4 || (code[1] & 31) != 2 || !(code[1] & 0x80) || (code[2] & 0x84)) amx_die("an illegal instruction");
    if (opcode == 0x49 && pp == 0 && memory && reg == 0 && vvvv == 0) {
        amx_operand o = amx_decode(u, code + 4, rex, false);
        amx_configure(o.address);
        length = o.length;
    } else if (opcode == 0x49 && pp == 0 && modrm == 0xC0 && vvvv == 0) {
        memset(&amx_state, 0, sizeof amx_state);
    } else if (opcode == 0x49 && pp == 3 && !memory && (modrm & 7) == 0 && vvvv == 0) {
        amx_need(reg, "TILEZERO: no such tile in the configuration");
        memset(amx_state.data[reg], 0, sizeof amx_state.data[reg]);
    } else if (opcode == 0x4B && pp != 0 && memory && vvvv == 0) {
        amx_operand o = amx_decode(u, code + 4, rex, true);
        if (pp == 2) amx_store(reg, o);
        else amx_load(reg, o);
        length = o.length;
    } else if (opcode == 0x5E && pp == 3 && !memory) {
        amx_product(reg, modrm & 7, vvvv);
    } else {
        amx_die("an instruction that is not decoded");
    }
    u->uc_mcontext.gregs[REG_RIP] += 4 + length;
}

/* From now on tile instructions work in this process. */
static inline bool amx_emulator_install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = amx_on_illegal;
    action.sa_flags = SA_SIGINFO;
    return sigaction(SIGILL, &action, NULL) == 0;
}

#else

static inline bool amx_emulator_install(void) { return false; }

#endif

#endif
