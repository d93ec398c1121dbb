# Generated from opcodes/opcodes.def and vm/base/status.def by `./zigw build gen`: do not edit.
"""Numbers of instructions and status codes.

OPCODES maps a mnemonic to (value, operand kinds); the kinds are the letters of docs/opcodes.md.
"""

import enum

VERSION = "0.1.0"

OPCODES = {
    "nop": (0x00000000, ""),
    "func": (0x00000001, "nnnn"),
    "jump": (0x00000010, "j"),
    "jump.if": (0x00000011, "sj"),
    "jump.unless": (0x00000012, "sj"),
    "jump.table": (0x00000013, "sJ"),
    "call": (0x00000020, "cr"),
    "call.indirect": (0x00000021, "srn"),
    "return": (0x00000022, ""),
    "call.foreign": (0x00000028, "yr"),
    "trap": (0x000000FE, "i"),
    "halt": (0x000000FF, ""),
    "jump.i32.eq": (0x00000100, "ssj"),
    "jump.i32.ne": (0x00000101, "ssj"),
    "jump.i32.lt_s": (0x00000102, "ssj"),
    "jump.i32.lt_u": (0x00000103, "ssj"),
    "jump.i32.le_s": (0x00000104, "ssj"),
    "jump.i32.le_u": (0x00000105, "ssj"),
    "jump.i32.eq_imm": (0x00000110, "sij"),
    "jump.i32.ne_imm": (0x00000111, "sij"),
    "jump.i32.lt_s_imm": (0x00000112, "sij"),
    "jump.i32.lt_u_imm": (0x00000113, "sij"),
    "jump.i32.le_s_imm": (0x00000114, "sij"),
    "jump.i32.le_u_imm": (0x00000115, "sij"),
    "jump.i32.gt_s_imm": (0x00000116, "sij"),
    "jump.i32.gt_u_imm": (0x00000117, "sij"),
    "jump.i32.ge_s_imm": (0x00000118, "sij"),
    "jump.i32.ge_u_imm": (0x00000119, "sij"),
    "jump.i64.eq": (0x00000120, "ssj"),
    "jump.i64.ne": (0x00000121, "ssj"),
    "jump.i64.lt_s": (0x00000122, "ssj"),
    "jump.i64.lt_u": (0x00000123, "ssj"),
    "jump.i64.le_s": (0x00000124, "ssj"),
    "jump.i64.le_u": (0x00000125, "ssj"),
    "jump.i64.eq_imm": (0x00000130, "sij"),
    "jump.i64.ne_imm": (0x00000131, "sij"),
    "jump.i64.lt_s_imm": (0x00000132, "sij"),
    "jump.i64.lt_u_imm": (0x00000133, "sij"),
    "jump.i64.le_s_imm": (0x00000134, "sij"),
    "jump.i64.le_u_imm": (0x00000135, "sij"),
    "jump.i64.gt_s_imm": (0x00000136, "sij"),
    "jump.i64.gt_u_imm": (0x00000137, "sij"),
    "jump.i64.ge_s_imm": (0x00000138, "sij"),
    "jump.i64.ge_u_imm": (0x00000139, "sij"),
    "jump.f32.eq": (0x00000140, "ssj"),
    "jump.f32.ne": (0x00000141, "ssj"),
    "jump.f32.lt": (0x00000142, "ssj"),
    "jump.f32.le": (0x00000143, "ssj"),
    "jump.f64.eq": (0x00000150, "ssj"),
    "jump.f64.ne": (0x00000151, "ssj"),
    "jump.f64.lt": (0x00000152, "ssj"),
    "jump.f64.le": (0x00000153, "ssj"),
    "alloc": (0x00010000, "ds"),
    "free": (0x00010001, "s"),
    "memory.size": (0x00010002, "d"),
    "memory.grow": (0x00010003, "ds"),
    "memory.copy": (0x00010004, "sss"),
    "memory.fill": (0x00010005, "sss"),
    "load64": (0x00010010, "dso"),
    "store64": (0x00010011, "sso"),
    "load8_u": (0x00010012, "dso"),
    "load16_u": (0x00010013, "dso"),
    "load32_u": (0x00010014, "dso"),
    "i32.load8_s": (0x00010015, "dso"),
    "i32.load16_s": (0x00010016, "dso"),
    "i64.load8_s": (0x00010017, "dso"),
    "i64.load16_s": (0x00010018, "dso"),
    "i64.load32_s": (0x00010019, "dso"),
    "store8": (0x0001001A, "sso"),
    "store16": (0x0001001B, "sso"),
    "store32": (0x0001001C, "sso"),
    "buffer.alloc": (0x00010020, "as"),
    "buffer.size": (0x00010021, "db"),
    "buffer.address": (0x00010022, "db"),
    "i64.add": (0x00020000, "dss"),
    "i64.sub": (0x00020001, "dss"),
    "i64.mul": (0x00020002, "dss"),
    "i64.div_s": (0x00020003, "dss"),
    "i64.div_u": (0x00020004, "dss"),
    "i64.rem_s": (0x00020005, "dss"),
    "i64.rem_u": (0x00020006, "dss"),
    "i64.and": (0x00020007, "dss"),
    "i64.or": (0x00020008, "dss"),
    "i64.xor": (0x00020009, "dss"),
    "i64.shl": (0x0002000A, "dss"),
    "i64.shr_s": (0x0002000B, "dss"),
    "i64.shr_u": (0x0002000C, "dss"),
    "i64.rotl": (0x0002000D, "dss"),
    "i64.rotr": (0x0002000E, "dss"),
    "i64.clz": (0x0002000F, "ds"),
    "i64.ctz": (0x00020010, "ds"),
    "i64.popcnt": (0x00020011, "ds"),
    "i64.eqz": (0x00020012, "ds"),
    "i64.eq": (0x00020013, "dss"),
    "i64.ne": (0x00020014, "dss"),
    "i64.lt_s": (0x00020015, "dss"),
    "i64.lt_u": (0x00020016, "dss"),
    "i64.le_s": (0x00020017, "dss"),
    "i64.le_u": (0x00020018, "dss"),
    "i64.extend8_s": (0x00020019, "ds"),
    "i64.extend16_s": (0x0002001A, "ds"),
    "i64.extend32_s": (0x0002001B, "ds"),
    "i64.add_imm": (0x00020020, "dsi"),
    "i64.mul_imm": (0x00020021, "dsi"),
    "i64.and_imm": (0x00020022, "dsi"),
    "i64.or_imm": (0x00020023, "dsi"),
    "i64.xor_imm": (0x00020024, "dsi"),
    "i64.shl_imm": (0x00020025, "dsi"),
    "i64.shr_s_imm": (0x00020026, "dsi"),
    "i64.shr_u_imm": (0x00020027, "dsi"),
    "i32.add": (0x00020100, "dss"),
    "i32.sub": (0x00020101, "dss"),
    "i32.mul": (0x00020102, "dss"),
    "i32.div_s": (0x00020103, "dss"),
    "i32.div_u": (0x00020104, "dss"),
    "i32.rem_s": (0x00020105, "dss"),
    "i32.rem_u": (0x00020106, "dss"),
    "i32.and": (0x00020107, "dss"),
    "i32.or": (0x00020108, "dss"),
    "i32.xor": (0x00020109, "dss"),
    "i32.shl": (0x0002010A, "dss"),
    "i32.shr_s": (0x0002010B, "dss"),
    "i32.shr_u": (0x0002010C, "dss"),
    "i32.rotl": (0x0002010D, "dss"),
    "i32.rotr": (0x0002010E, "dss"),
    "i32.clz": (0x0002010F, "ds"),
    "i32.ctz": (0x00020110, "ds"),
    "i32.popcnt": (0x00020111, "ds"),
    "i32.eqz": (0x00020112, "ds"),
    "i32.eq": (0x00020113, "dss"),
    "i32.ne": (0x00020114, "dss"),
    "i32.lt_s": (0x00020115, "dss"),
    "i32.lt_u": (0x00020116, "dss"),
    "i32.le_s": (0x00020117, "dss"),
    "i32.le_u": (0x00020118, "dss"),
    "i32.extend8_s": (0x00020119, "ds"),
    "i32.extend16_s": (0x0002011A, "ds"),
    "i32.add_imm": (0x00020120, "dsi"),
    "i32.mul_imm": (0x00020121, "dsi"),
    "i32.and_imm": (0x00020122, "dsi"),
    "i32.or_imm": (0x00020123, "dsi"),
    "i32.xor_imm": (0x00020124, "dsi"),
    "i32.shl_imm": (0x00020125, "dsi"),
    "i32.shr_s_imm": (0x00020126, "dsi"),
    "i32.shr_u_imm": (0x00020127, "dsi"),
    "f32.add": (0x00020200, "dss"),
    "f32.sub": (0x00020201, "dss"),
    "f32.mul": (0x00020202, "dss"),
    "f32.div": (0x00020203, "dss"),
    "f32.sqrt": (0x00020204, "ds"),
    "f32.fma": (0x00020205, "dsss"),
    "f32.min": (0x00020206, "dss"),
    "f32.max": (0x00020207, "dss"),
    "f32.abs": (0x00020208, "ds"),
    "f32.neg": (0x00020209, "ds"),
    "f32.copysign": (0x0002020A, "dss"),
    "f32.ceil": (0x0002020B, "ds"),
    "f32.floor": (0x0002020C, "ds"),
    "f32.trunc": (0x0002020D, "ds"),
    "f32.nearest": (0x0002020E, "ds"),
    "f32.eq": (0x0002020F, "dss"),
    "f32.ne": (0x00020210, "dss"),
    "f32.lt": (0x00020211, "dss"),
    "f32.le": (0x00020212, "dss"),
    "f64.add": (0x00020300, "dss"),
    "f64.sub": (0x00020301, "dss"),
    "f64.mul": (0x00020302, "dss"),
    "f64.div": (0x00020303, "dss"),
    "f64.sqrt": (0x00020304, "ds"),
    "f64.fma": (0x00020305, "dsss"),
    "f64.min": (0x00020306, "dss"),
    "f64.max": (0x00020307, "dss"),
    "f64.abs": (0x00020308, "ds"),
    "f64.neg": (0x00020309, "ds"),
    "f64.copysign": (0x0002030A, "dss"),
    "f64.ceil": (0x0002030B, "ds"),
    "f64.floor": (0x0002030C, "ds"),
    "f64.trunc": (0x0002030D, "ds"),
    "f64.nearest": (0x0002030E, "ds"),
    "f64.eq": (0x0002030F, "dss"),
    "f64.ne": (0x00020310, "dss"),
    "f64.lt": (0x00020311, "dss"),
    "f64.le": (0x00020312, "dss"),
    "i32.wrap_i64": (0x00020400, "ds"),
    "i64.extend_i32_s": (0x00020401, "ds"),
    "i64.extend_i32_u": (0x00020402, "ds"),
    "f32.demote_f64": (0x00020403, "ds"),
    "f64.promote_f32": (0x00020404, "ds"),
    "f32.convert_i32_s": (0x00020408, "ds"),
    "f32.convert_i32_u": (0x00020409, "ds"),
    "f32.convert_i64_s": (0x0002040A, "ds"),
    "f32.convert_i64_u": (0x0002040B, "ds"),
    "f64.convert_i32_s": (0x0002040C, "ds"),
    "f64.convert_i32_u": (0x0002040D, "ds"),
    "f64.convert_i64_s": (0x0002040E, "ds"),
    "f64.convert_i64_u": (0x0002040F, "ds"),
    "i32.trunc_f32_s": (0x00020410, "ds"),
    "i32.trunc_f32_u": (0x00020411, "ds"),
    "i32.trunc_f64_s": (0x00020412, "ds"),
    "i32.trunc_f64_u": (0x00020413, "ds"),
    "i64.trunc_f32_s": (0x00020414, "ds"),
    "i64.trunc_f32_u": (0x00020415, "ds"),
    "i64.trunc_f64_s": (0x00020416, "ds"),
    "i64.trunc_f64_u": (0x00020417, "ds"),
    "i32.trunc_sat_f32_s": (0x00020418, "ds"),
    "i32.trunc_sat_f32_u": (0x00020419, "ds"),
    "i32.trunc_sat_f64_s": (0x0002041A, "ds"),
    "i32.trunc_sat_f64_u": (0x0002041B, "ds"),
    "i64.trunc_sat_f32_s": (0x0002041C, "ds"),
    "i64.trunc_sat_f32_u": (0x0002041D, "ds"),
    "i64.trunc_sat_f64_s": (0x0002041E, "ds"),
    "i64.trunc_sat_f64_u": (0x0002041F, "ds"),
    "move": (0x00020500, "ds"),
    "i32.const": (0x00020501, "di"),
    "i64.const": (0x00020502, "dl"),
    "f32.const": (0x00020503, "df"),
    "f64.const": (0x00020504, "dg"),
    "select": (0x00020505, "dsss"),
    "global.get": (0x00020506, "dn"),
    "global.set": (0x00020507, "ns"),
    "tensor.matmul": (0x00030000, "ttukkk"),
    "tensor.transpose": (0x00030001, "tukk"),
    "tensor.softmax": (0x00030002, "tukk"),
    "tensor.relu": (0x00030003, "tuk"),
    "tensor.sigmoid": (0x00030004, "tuk"),
    "tensor.tanh": (0x00030005, "tuk"),
    "tensor.gelu": (0x00030006, "tuk"),
    "tensor.gelu_tanh": (0x00030007, "tuk"),
    "tensor.silu": (0x00030008, "tuk"),
    "tensor.exp": (0x00030009, "tuk"),
    "tensor.log": (0x0003000A, "tuk"),
    "tensor.sin": (0x0003000B, "tuk"),
    "tensor.cos": (0x0003000C, "tuk"),
    "tensor.erf": (0x0003000D, "tuk"),
    "tensor.add": (0x00030010, "ttuk"),
    "tensor.sub": (0x00030011, "ttuk"),
    "tensor.mul": (0x00030012, "ttuk"),
    "tensor.div": (0x00030013, "ttuk"),
    "tensor.scale": (0x00030014, "tukq"),
    "tensor.layernorm": (0x00030018, "tttukkq"),
    "tensor.sum": (0x00030019, "tukk"),
    "tensor.max": (0x0003001A, "tukk"),
    "tensor.argmax": (0x0003001B, "tukk"),
    "tensor.attention": (0x00030020, "tttukk"),
    "tensor.multihead_attention": (0x00030021, "tttukkke"),
    "tensor.embedding": (0x00030022, "ttukkk"),
    "tensor.ffn": (0x00030023, "tttttukkkh"),
    "tensor.matmul_ex": (0x00030024, "tttukkkeh"),
    "tensor.matmul_i8": (0x00030025, "ttukkk"),
    "tensor.matmul_strided": (0x00030026, "tttukkkkkkkkkkeh"),
    "tensor.matmul_i8_ex": (0x00030027, "ttukkke"),
    "tensor.matmul_f16": (0x00030028, "ttukkke"),
    "tensor.matmul_bf16": (0x00030029, "ttukkke"),
    "tensor.quantize_scale": (0x0003002A, "tukk"),
    "tensor.quantize": (0x0003002B, "ttukk"),
    "tensor.dequantize": (0x0003002C, "ttttukkeh"),
    "tensor.copy": (0x00030030, "tuk"),
    "tensor.fill": (0x00030031, "ukq"),
    "tensor.widen_f16": (0x00030032, "tuk"),
    "tensor.widen_bf16": (0x00030033, "tuk"),
    "tensor.narrow_f16": (0x00030034, "tuk"),
    "tensor.narrow_bf16": (0x00030035, "tuk"),
    "spawn": (0x00040000, "dcr"),
    "yield": (0x00040001, ""),
    "join": (0x00040002, "ds"),
    "channel": (0x00040003, "d"),
    "send": (0x00040004, "ss"),
    "receive": (0x00040005, "ds"),
    "write": (0x00040100, "ss"),
    "input.dim": (0x00040101, "dIn"),
    "output.dim": (0x00040102, "Ons"),
    "vk.init": (0x56000001, ""),
    "vk.alloc": (0x56000010, "za"),
    "vk.free": (0x56000011, "x"),
    "vk.compute": (0x56000020, "nnnn"),
    "vk.shader": (0x56000021, "npz"),
    "vk.bind": (0x56000022, "nw"),
    "vk.push": (0x56000023, "pz"),
    "vk.submit": (0x56000030, ""),
    "vk.sync": (0x560000F0, ""),
    "gpu.nop": (0xC0DA0000, ""),
    "gpu.init": (0xC0DA0001, ""),
    "gpu.shutdown": (0xC0DA0002, ""),
    "gpu.alloc": (0xC0DA0010, "za"),
    "gpu.free": (0xC0DA0011, "x"),
    "gpu.copy_h2d": (0xC0DA0012, "pwz"),
    "gpu.copy_d2h": (0xC0DA0013, "bpz"),
    "gpu.memset": (0xC0DA0014, "wBz"),
    "gpu.matmul": (0xC0DA0020, "bbwmmm"),
    "gpu.add": (0xC0DA0021, "bbwz"),
    "gpu.sub": (0xC0DA0022, "bbwz"),
    "gpu.mul": (0xC0DA0023, "bbwz"),
    "gpu.div": (0xC0DA0024, "bbwz"),
    "gpu.scale": (0xC0DA0025, "bwzf"),
    "gpu.transpose": (0xC0DA0026, "bwmm"),
    "gpu.matmul_ex": (0xC0DA0027, "bbbwmmmeh"),
    "gpu.matmul_i8": (0xC0DA0028, "bbwmmm"),
    "gpu.relu": (0xC0DA0030, "bwz"),
    "gpu.sigmoid": (0xC0DA0031, "bwz"),
    "gpu.tanh": (0xC0DA0032, "bwz"),
    "gpu.softmax": (0xC0DA0033, "bwmm"),
    "gpu.gelu": (0xC0DA0034, "bwz"),
    "gpu.gelu_tanh": (0xC0DA0035, "bwz"),
    "gpu.silu": (0xC0DA0036, "bwz"),
    "gpu.attention": (0xC0DA0040, "bbbwmm"),
    "gpu.multihead_attn": (0xC0DA0041, "bbbwmmme"),
    "gpu.ffn": (0xC0DA0042, "bbwmmm"),
    "gpu.layernorm": (0xC0DA0043, "bbbwmmf"),
    "gpu.embedding": (0xC0DA0044, "bbwmmm"),
    "gpu.ffn_weights": (0xC0DA0045, "bbbbbwmmmh"),
    "gpu.sum": (0xC0DA0050, "bwmm"),
    "gpu.max": (0xC0DA0051, "bwmm"),
    "gpu.argmax": (0xC0DA0052, "bwmm"),
    "gpu.sync": (0xC0DA00F0, ""),
    "gpu.barrier": (0xC0DA00F1, ""),
    "gpu.end": (0xC0DAFFFF, ""),
}


class Opcode(enum.IntEnum):
    """Every instruction by its name in the table."""

    NOP = 0x00000000
    FUNC = 0x00000001
    JUMP = 0x00000010
    JUMP_IF = 0x00000011
    JUMP_UNLESS = 0x00000012
    JUMP_TABLE = 0x00000013
    CALL = 0x00000020
    CALL_INDIRECT = 0x00000021
    RETURN = 0x00000022
    CALL_FOREIGN = 0x00000028
    TRAP = 0x000000FE
    HALT = 0x000000FF
    JUMP_I32_EQ = 0x00000100
    JUMP_I32_NE = 0x00000101
    JUMP_I32_LT_S = 0x00000102
    JUMP_I32_LT_U = 0x00000103
    JUMP_I32_LE_S = 0x00000104
    JUMP_I32_LE_U = 0x00000105
    JUMP_I32_EQ_IMM = 0x00000110
    JUMP_I32_NE_IMM = 0x00000111
    JUMP_I32_LT_S_IMM = 0x00000112
    JUMP_I32_LT_U_IMM = 0x00000113
    JUMP_I32_LE_S_IMM = 0x00000114
    JUMP_I32_LE_U_IMM = 0x00000115
    JUMP_I32_GT_S_IMM = 0x00000116
    JUMP_I32_GT_U_IMM = 0x00000117
    JUMP_I32_GE_S_IMM = 0x00000118
    JUMP_I32_GE_U_IMM = 0x00000119
    JUMP_I64_EQ = 0x00000120
    JUMP_I64_NE = 0x00000121
    JUMP_I64_LT_S = 0x00000122
    JUMP_I64_LT_U = 0x00000123
    JUMP_I64_LE_S = 0x00000124
    JUMP_I64_LE_U = 0x00000125
    JUMP_I64_EQ_IMM = 0x00000130
    JUMP_I64_NE_IMM = 0x00000131
    JUMP_I64_LT_S_IMM = 0x00000132
    JUMP_I64_LT_U_IMM = 0x00000133
    JUMP_I64_LE_S_IMM = 0x00000134
    JUMP_I64_LE_U_IMM = 0x00000135
    JUMP_I64_GT_S_IMM = 0x00000136
    JUMP_I64_GT_U_IMM = 0x00000137
    JUMP_I64_GE_S_IMM = 0x00000138
    JUMP_I64_GE_U_IMM = 0x00000139
    JUMP_F32_EQ = 0x00000140
    JUMP_F32_NE = 0x00000141
    JUMP_F32_LT = 0x00000142
    JUMP_F32_LE = 0x00000143
    JUMP_F64_EQ = 0x00000150
    JUMP_F64_NE = 0x00000151
    JUMP_F64_LT = 0x00000152
    JUMP_F64_LE = 0x00000153
    ALLOC = 0x00010000
    FREE = 0x00010001
    MEMORY_SIZE = 0x00010002
    MEMORY_GROW = 0x00010003
    MEMORY_COPY = 0x00010004
    MEMORY_FILL = 0x00010005
    LOAD = 0x00010010
    STORE = 0x00010011
    LOAD8_U = 0x00010012
    LOAD16_U = 0x00010013
    LOAD32_U = 0x00010014
    I32_LOAD8_S = 0x00010015
    I32_LOAD16_S = 0x00010016
    I64_LOAD8_S = 0x00010017
    I64_LOAD16_S = 0x00010018
    I64_LOAD32_S = 0x00010019
    STORE8 = 0x0001001A
    STORE16 = 0x0001001B
    STORE32 = 0x0001001C
    BUFFER_ALLOC = 0x00010020
    BUFFER_SIZE = 0x00010021
    BUFFER_ADDRESS = 0x00010022
    I64_ADD = 0x00020000
    I64_SUB = 0x00020001
    I64_MUL = 0x00020002
    I64_DIV_S = 0x00020003
    I64_DIV_U = 0x00020004
    I64_REM_S = 0x00020005
    I64_REM_U = 0x00020006
    I64_AND = 0x00020007
    I64_OR = 0x00020008
    I64_XOR = 0x00020009
    I64_SHL = 0x0002000A
    I64_SHR_S = 0x0002000B
    I64_SHR_U = 0x0002000C
    I64_ROTL = 0x0002000D
    I64_ROTR = 0x0002000E
    I64_CLZ = 0x0002000F
    I64_CTZ = 0x00020010
    I64_POPCNT = 0x00020011
    I64_EQZ = 0x00020012
    I64_EQ = 0x00020013
    I64_NE = 0x00020014
    I64_LT_S = 0x00020015
    I64_LT_U = 0x00020016
    I64_LE_S = 0x00020017
    I64_LE_U = 0x00020018
    I64_EXTEND8_S = 0x00020019
    I64_EXTEND16_S = 0x0002001A
    I64_EXTEND32_S = 0x0002001B
    I64_ADD_IMM = 0x00020020
    I64_MUL_IMM = 0x00020021
    I64_AND_IMM = 0x00020022
    I64_OR_IMM = 0x00020023
    I64_XOR_IMM = 0x00020024
    I64_SHL_IMM = 0x00020025
    I64_SHR_S_IMM = 0x00020026
    I64_SHR_U_IMM = 0x00020027
    I32_ADD = 0x00020100
    I32_SUB = 0x00020101
    I32_MUL = 0x00020102
    I32_DIV_S = 0x00020103
    I32_DIV_U = 0x00020104
    I32_REM_S = 0x00020105
    I32_REM_U = 0x00020106
    I32_AND = 0x00020107
    I32_OR = 0x00020108
    I32_XOR = 0x00020109
    I32_SHL = 0x0002010A
    I32_SHR_S = 0x0002010B
    I32_SHR_U = 0x0002010C
    I32_ROTL = 0x0002010D
    I32_ROTR = 0x0002010E
    I32_CLZ = 0x0002010F
    I32_CTZ = 0x00020110
    I32_POPCNT = 0x00020111
    I32_EQZ = 0x00020112
    I32_EQ = 0x00020113
    I32_NE = 0x00020114
    I32_LT_S = 0x00020115
    I32_LT_U = 0x00020116
    I32_LE_S = 0x00020117
    I32_LE_U = 0x00020118
    I32_EXTEND8_S = 0x00020119
    I32_EXTEND16_S = 0x0002011A
    I32_ADD_IMM = 0x00020120
    I32_MUL_IMM = 0x00020121
    I32_AND_IMM = 0x00020122
    I32_OR_IMM = 0x00020123
    I32_XOR_IMM = 0x00020124
    I32_SHL_IMM = 0x00020125
    I32_SHR_S_IMM = 0x00020126
    I32_SHR_U_IMM = 0x00020127
    F32_ADD = 0x00020200
    F32_SUB = 0x00020201
    F32_MUL = 0x00020202
    F32_DIV = 0x00020203
    F32_SQRT = 0x00020204
    F32_FMA = 0x00020205
    F32_MIN = 0x00020206
    F32_MAX = 0x00020207
    F32_ABS = 0x00020208
    F32_NEG = 0x00020209
    F32_COPYSIGN = 0x0002020A
    F32_CEIL = 0x0002020B
    F32_FLOOR = 0x0002020C
    F32_TRUNC = 0x0002020D
    F32_NEAREST = 0x0002020E
    F32_EQ = 0x0002020F
    F32_NE = 0x00020210
    F32_LT = 0x00020211
    F32_LE = 0x00020212
    F64_ADD = 0x00020300
    F64_SUB = 0x00020301
    F64_MUL = 0x00020302
    F64_DIV = 0x00020303
    F64_SQRT = 0x00020304
    F64_FMA = 0x00020305
    F64_MIN = 0x00020306
    F64_MAX = 0x00020307
    F64_ABS = 0x00020308
    F64_NEG = 0x00020309
    F64_COPYSIGN = 0x0002030A
    F64_CEIL = 0x0002030B
    F64_FLOOR = 0x0002030C
    F64_TRUNC = 0x0002030D
    F64_NEAREST = 0x0002030E
    F64_EQ = 0x0002030F
    F64_NE = 0x00020310
    F64_LT = 0x00020311
    F64_LE = 0x00020312
    I32_WRAP_I64 = 0x00020400
    I64_EXTEND_I32_S = 0x00020401
    I64_EXTEND_I32_U = 0x00020402
    F32_DEMOTE_F64 = 0x00020403
    F64_PROMOTE_F32 = 0x00020404
    F32_CONVERT_I32_S = 0x00020408
    F32_CONVERT_I32_U = 0x00020409
    F32_CONVERT_I64_S = 0x0002040A
    F32_CONVERT_I64_U = 0x0002040B
    F64_CONVERT_I32_S = 0x0002040C
    F64_CONVERT_I32_U = 0x0002040D
    F64_CONVERT_I64_S = 0x0002040E
    F64_CONVERT_I64_U = 0x0002040F
    I32_TRUNC_F32_S = 0x00020410
    I32_TRUNC_F32_U = 0x00020411
    I32_TRUNC_F64_S = 0x00020412
    I32_TRUNC_F64_U = 0x00020413
    I64_TRUNC_F32_S = 0x00020414
    I64_TRUNC_F32_U = 0x00020415
    I64_TRUNC_F64_S = 0x00020416
    I64_TRUNC_F64_U = 0x00020417
    I32_TRUNC_SAT_F32_S = 0x00020418
    I32_TRUNC_SAT_F32_U = 0x00020419
    I32_TRUNC_SAT_F64_S = 0x0002041A
    I32_TRUNC_SAT_F64_U = 0x0002041B
    I64_TRUNC_SAT_F32_S = 0x0002041C
    I64_TRUNC_SAT_F32_U = 0x0002041D
    I64_TRUNC_SAT_F64_S = 0x0002041E
    I64_TRUNC_SAT_F64_U = 0x0002041F
    MOVE = 0x00020500
    I32_CONST = 0x00020501
    I64_CONST = 0x00020502
    F32_CONST = 0x00020503
    F64_CONST = 0x00020504
    SELECT = 0x00020505
    GLOBAL_GET = 0x00020506
    GLOBAL_SET = 0x00020507
    TENSOR_MATMUL = 0x00030000
    TENSOR_TRANSPOSE = 0x00030001
    TENSOR_SOFTMAX = 0x00030002
    TENSOR_RELU = 0x00030003
    TENSOR_SIGMOID = 0x00030004
    TENSOR_TANH = 0x00030005
    TENSOR_GELU = 0x00030006
    TENSOR_GELU_TANH = 0x00030007
    TENSOR_SILU = 0x00030008
    TENSOR_EXP = 0x00030009
    TENSOR_LOG = 0x0003000A
    TENSOR_SIN = 0x0003000B
    TENSOR_COS = 0x0003000C
    TENSOR_ERF = 0x0003000D
    TENSOR_ADD = 0x00030010
    TENSOR_SUB = 0x00030011
    TENSOR_MUL = 0x00030012
    TENSOR_DIV = 0x00030013
    TENSOR_SCALE = 0x00030014
    TENSOR_LAYERNORM = 0x00030018
    TENSOR_SUM = 0x00030019
    TENSOR_MAX = 0x0003001A
    TENSOR_ARGMAX = 0x0003001B
    TENSOR_ATTENTION = 0x00030020
    TENSOR_MULTIHEAD = 0x00030021
    TENSOR_EMBEDDING = 0x00030022
    TENSOR_FFN = 0x00030023
    TENSOR_MATMUL_EX = 0x00030024
    TENSOR_MATMUL_I8 = 0x00030025
    TENSOR_MATMUL_STRIDED = 0x00030026
    TENSOR_MATMUL_I8_EX = 0x00030027
    TENSOR_MATMUL_F16 = 0x00030028
    TENSOR_MATMUL_BF16 = 0x00030029
    TENSOR_QUANTIZE_SCALE = 0x0003002A
    TENSOR_QUANTIZE = 0x0003002B
    TENSOR_DEQUANTIZE = 0x0003002C
    TENSOR_COPY = 0x00030030
    TENSOR_FILL = 0x00030031
    TENSOR_WIDEN_F16 = 0x00030032
    TENSOR_WIDEN_BF16 = 0x00030033
    TENSOR_NARROW_F16 = 0x00030034
    TENSOR_NARROW_BF16 = 0x00030035
    SPAWN = 0x00040000
    YIELD = 0x00040001
    JOIN = 0x00040002
    CHANNEL = 0x00040003
    SEND = 0x00040004
    RECEIVE = 0x00040005
    WRITE = 0x00040100
    INPUT_DIM = 0x00040101
    OUTPUT_DIM = 0x00040102
    VK_INIT = 0x56000001
    VK_ALLOC = 0x56000010
    VK_FREE = 0x56000011
    VK_COMPUTE = 0x56000020
    VK_SHADER = 0x56000021
    VK_BIND = 0x56000022
    VK_PUSH = 0x56000023
    VK_SUBMIT = 0x56000030
    VK_SYNC = 0x560000F0
    GPU_NOP = 0xC0DA0000
    GPU_INIT = 0xC0DA0001
    GPU_SHUTDOWN = 0xC0DA0002
    GPU_ALLOC = 0xC0DA0010
    GPU_FREE = 0xC0DA0011
    GPU_COPY_H2D = 0xC0DA0012
    GPU_COPY_D2H = 0xC0DA0013
    GPU_MEMSET = 0xC0DA0014
    GPU_MATMUL = 0xC0DA0020
    GPU_ADD = 0xC0DA0021
    GPU_SUB = 0xC0DA0022
    GPU_MUL = 0xC0DA0023
    GPU_DIV = 0xC0DA0024
    GPU_SCALE = 0xC0DA0025
    GPU_TRANSPOSE = 0xC0DA0026
    GPU_MATMUL_EX = 0xC0DA0027
    GPU_MATMUL_I8 = 0xC0DA0028
    GPU_RELU = 0xC0DA0030
    GPU_SIGMOID = 0xC0DA0031
    GPU_TANH = 0xC0DA0032
    GPU_SOFTMAX = 0xC0DA0033
    GPU_GELU = 0xC0DA0034
    GPU_GELU_TANH = 0xC0DA0035
    GPU_SILU = 0xC0DA0036
    GPU_ATTENTION = 0xC0DA0040
    GPU_MULTIHEAD_ATTN = 0xC0DA0041
    GPU_FFN = 0xC0DA0042
    GPU_LAYERNORM = 0xC0DA0043
    GPU_EMBEDDING = 0xC0DA0044
    GPU_FFN_WEIGHTS = 0xC0DA0045
    GPU_SUM = 0xC0DA0050
    GPU_MAX = 0xC0DA0051
    GPU_ARGMAX = 0xC0DA0052
    GPU_SYNC = 0xC0DA00F0
    GPU_BARRIER = 0xC0DA00F1
    GPU_END = 0xC0DAFFFF


class Status(enum.IntEnum):
    """Every status code; the comment is its meaning."""

    OK = 0  # done
    INVALID_ARGUMENT = 100  # an argument is out of its range or missing
    INVALID_STATE = 101  # the object is not in a state that allows this call
    NO_MEMORY = 102  # the host has no memory left for this
    NAME_NOT_FOUND = 103  # the program has no input or output of that name
    TYPE_MISMATCH = 104  # the data type is not the one declared
    SHAPE_MISMATCH = 105  # the shape is not the one declared
    FOREIGN_POINTER = 106  # the pointer was not handed out by this allocator
    DOUBLE_FREE = 107  # the memory was freed before
    BLOCKS_EXHAUSTED = 108  # the block allocator has no free run of that length
    SYNTAX = 109  # the assembly text cannot be understood
    USAGE = 110  # the command line cannot be understood
    WOULD_LOSE = 111  # the target format cannot hold everything the program carries
    BAD_MAGIC = 200  # the content is none of the known program formats
    BAD_VERSION = 201  # the format's version is not known
    TRUNCATED = 202  # the content ends before what it announces
    TRAILING_BYTES = 203  # bytes follow after the end of the content
    BAD_FIELD = 204  # a field holds a value it may not have
    BAD_TEXT = 205  # a line of the text form cannot be read
    BAD_DIGEST = 206  # the content does not match the SHA-256 it carries
    TOO_LARGE = 207  # the content is larger than the format or the limits allow
    BAD_SHADER = 208  # the shader is no SPIR-V module that can run here
    UNKNOWN_OPCODE = 300  # no instruction has this opcode
    WRONG_OPERAND_COUNT = 301  # the instruction has a wrong number of operands
    REGISTER_RANGE = 302  # a register lies outside the function's frame
    JUMP_TARGET = 303  # a jump does not lead to an instruction of its own function
    CALL_TARGET = 304  # a call does not lead to a function
    MISSING_END = 305  # control would run past the last instruction of a function
    BUFFER_RANGE = 306  # a buffer number is above the limit
    BUFFER_NOT_ALLOCATED = 307  # a buffer is used that was never allocated
    BUFFER_FREED = 308  # a buffer is used after it was freed
    BUFFER_DOUBLE_FREE = 309  # a buffer is freed twice
    BUFFER_IN_USE = 310  # a buffer is allocated again without being freed
    BAD_OPERAND = 311  # an immediate operand holds a value it may not have
    BAD_FUNCTION = 312  # a function header is malformed
    BAD_DECLARATION = 313  # a declared input, output, table or entry does not fit the program
    FFN_WITHOUT_WEIGHTS = 314  # the published six-operand FFN names no weights
    IMPORT_MISSING = 315  # the program imports a function that nothing provides
    EMPTY_PROGRAM = 316  # the program has no instructions
    BAD_SIGNATURE = 317  # the name or the signature of an import cannot be understood
    TRAP = 400  # the program executed a trap instruction
    DIVISION_BY_ZERO = 401  # an integer was divided by zero
    INTEGER_OVERFLOW = 402  # an integer result does not fit
    BAD_CONVERSION = 403  # a NaN was converted to an integer
    OUT_OF_BOUNDS = 404  # an access lies outside the program's memory or buffer
    OUT_OF_FUEL = 405  # the limit on executed instructions was reached
    OUT_OF_MEMORY = 406  # the program's memory limit was reached
    STACK_OVERFLOW = 407  # the limit on call depth or registers was reached
    INDIRECT_CALL = 408  # an indirect call found no function of the expected type
    BUFFER_STATE = 409  # a buffer was used before its allocation or after its release
    SHAPE_TRAP = 410  # a tensor operation was given sizes it cannot have
    OVERLAP = 411  # a tensor operation's result overlaps an operand it still reads
    DEADLOCK = 412  # every task waits for another
    TASK_LIMIT = 413  # the limit on tasks, channels or messages was reached
    BAD_HANDLE = 414  # a task, channel or memory handle is not valid
    OUTPUT_REFUSED = 415  # the output stream did not take the bytes
    MISSING_INPUT = 416  # an input has neither a value nor a default
    FOREIGN_FAILED = 417  # a foreign function failed
    REPLAY_MISMATCH = 418  # the run departs from the recorded one
    SHADER_MISSING = 419  # no shader of that name was loaded
    SHADER_MISMATCH = 420  # the dispatch does not fit its shader
    STOPPED = 421  # the host stopped the run
    RESULTS_DIFFER = 422  # the two runs do not have the same results
    BACKEND_UNAVAILABLE = 500  # the backend is not there: no such hardware, driver or build
    BACKEND_UNSUPPORTED = 501  # the backend cannot do this operation
    BACKEND_FAILED = 502  # the backend reported a failure
    BACKEND_UNKNOWN = 503  # no backend has this name
    FOREIGN_UNAVAILABLE = 504  # foreign calls are not to be had: no libffi, no such library or symbol
    CANNOT_READ = 600  # a file could not be read
    CANNOT_WRITE = 601  # a file could not be written
