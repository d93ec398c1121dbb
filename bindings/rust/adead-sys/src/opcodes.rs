// Generated from opcodes/opcodes.def and vm/base/status.def by `./zigw build gen`: do not edit.
//! Numbers of instructions and status codes.

pub const VERSION: &str = "0.1.0";

/// An instruction: its value on the wire, its mnemonic, its operand kinds as the letters of docs/opcodes.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode {
    pub value: u32,
    pub mnemonic: &'static str,
    pub operands: &'static str,
}

/// In ascending order of value.
#[rustfmt::skip]
pub const OPCODES: [Opcode; 316] = [
    Opcode { value: 0x00000000, mnemonic: "nop", operands: "" },
    Opcode { value: 0x00000001, mnemonic: "func", operands: "nnnn" },
    Opcode { value: 0x00000010, mnemonic: "jump", operands: "j" },
    Opcode { value: 0x00000011, mnemonic: "jump.if", operands: "sj" },
    Opcode { value: 0x00000012, mnemonic: "jump.unless", operands: "sj" },
    Opcode { value: 0x00000013, mnemonic: "jump.table", operands: "sJ" },
    Opcode { value: 0x00000020, mnemonic: "call", operands: "cr" },
    Opcode { value: 0x00000021, mnemonic: "call.indirect", operands: "srn" },
    Opcode { value: 0x00000022, mnemonic: "return", operands: "" },
    Opcode { value: 0x00000028, mnemonic: "call.foreign", operands: "yr" },
    Opcode { value: 0x000000FE, mnemonic: "trap", operands: "i" },
    Opcode { value: 0x000000FF, mnemonic: "halt", operands: "" },
    Opcode { value: 0x00000100, mnemonic: "jump.i32.eq", operands: "ssj" },
    Opcode { value: 0x00000101, mnemonic: "jump.i32.ne", operands: "ssj" },
    Opcode { value: 0x00000102, mnemonic: "jump.i32.lt_s", operands: "ssj" },
    Opcode { value: 0x00000103, mnemonic: "jump.i32.lt_u", operands: "ssj" },
    Opcode { value: 0x00000104, mnemonic: "jump.i32.le_s", operands: "ssj" },
    Opcode { value: 0x00000105, mnemonic: "jump.i32.le_u", operands: "ssj" },
    Opcode { value: 0x00000110, mnemonic: "jump.i32.eq_imm", operands: "sij" },
    Opcode { value: 0x00000111, mnemonic: "jump.i32.ne_imm", operands: "sij" },
    Opcode { value: 0x00000112, mnemonic: "jump.i32.lt_s_imm", operands: "sij" },
    Opcode { value: 0x00000113, mnemonic: "jump.i32.lt_u_imm", operands: "sij" },
    Opcode { value: 0x00000114, mnemonic: "jump.i32.le_s_imm", operands: "sij" },
    Opcode { value: 0x00000115, mnemonic: "jump.i32.le_u_imm", operands: "sij" },
    Opcode { value: 0x00000116, mnemonic: "jump.i32.gt_s_imm", operands: "sij" },
    Opcode { value: 0x00000117, mnemonic: "jump.i32.gt_u_imm", operands: "sij" },
    Opcode { value: 0x00000118, mnemonic: "jump.i32.ge_s_imm", operands: "sij" },
    Opcode { value: 0x00000119, mnemonic: "jump.i32.ge_u_imm", operands: "sij" },
    Opcode { value: 0x00000120, mnemonic: "jump.i64.eq", operands: "ssj" },
    Opcode { value: 0x00000121, mnemonic: "jump.i64.ne", operands: "ssj" },
    Opcode { value: 0x00000122, mnemonic: "jump.i64.lt_s", operands: "ssj" },
    Opcode { value: 0x00000123, mnemonic: "jump.i64.lt_u", operands: "ssj" },
    Opcode { value: 0x00000124, mnemonic: "jump.i64.le_s", operands: "ssj" },
    Opcode { value: 0x00000125, mnemonic: "jump.i64.le_u", operands: "ssj" },
    Opcode { value: 0x00000130, mnemonic: "jump.i64.eq_imm", operands: "sij" },
    Opcode { value: 0x00000131, mnemonic: "jump.i64.ne_imm", operands: "sij" },
    Opcode { value: 0x00000132, mnemonic: "jump.i64.lt_s_imm", operands: "sij" },
    Opcode { value: 0x00000133, mnemonic: "jump.i64.lt_u_imm", operands: "sij" },
    Opcode { value: 0x00000134, mnemonic: "jump.i64.le_s_imm", operands: "sij" },
    Opcode { value: 0x00000135, mnemonic: "jump.i64.le_u_imm", operands: "sij" },
    Opcode { value: 0x00000136, mnemonic: "jump.i64.gt_s_imm", operands: "sij" },
    Opcode { value: 0x00000137, mnemonic: "jump.i64.gt_u_imm", operands: "sij" },
    Opcode { value: 0x00000138, mnemonic: "jump.i64.ge_s_imm", operands: "sij" },
    Opcode { value: 0x00000139, mnemonic: "jump.i64.ge_u_imm", operands: "sij" },
    Opcode { value: 0x00000140, mnemonic: "jump.f32.eq", operands: "ssj" },
    Opcode { value: 0x00000141, mnemonic: "jump.f32.ne", operands: "ssj" },
    Opcode { value: 0x00000142, mnemonic: "jump.f32.lt", operands: "ssj" },
    Opcode { value: 0x00000143, mnemonic: "jump.f32.le", operands: "ssj" },
    Opcode { value: 0x00000150, mnemonic: "jump.f64.eq", operands: "ssj" },
    Opcode { value: 0x00000151, mnemonic: "jump.f64.ne", operands: "ssj" },
    Opcode { value: 0x00000152, mnemonic: "jump.f64.lt", operands: "ssj" },
    Opcode { value: 0x00000153, mnemonic: "jump.f64.le", operands: "ssj" },
    Opcode { value: 0x00010000, mnemonic: "alloc", operands: "ds" },
    Opcode { value: 0x00010001, mnemonic: "free", operands: "s" },
    Opcode { value: 0x00010002, mnemonic: "memory.size", operands: "d" },
    Opcode { value: 0x00010003, mnemonic: "memory.grow", operands: "ds" },
    Opcode { value: 0x00010004, mnemonic: "memory.copy", operands: "sss" },
    Opcode { value: 0x00010005, mnemonic: "memory.fill", operands: "sss" },
    Opcode { value: 0x00010010, mnemonic: "load64", operands: "dso" },
    Opcode { value: 0x00010011, mnemonic: "store64", operands: "sso" },
    Opcode { value: 0x00010012, mnemonic: "load8_u", operands: "dso" },
    Opcode { value: 0x00010013, mnemonic: "load16_u", operands: "dso" },
    Opcode { value: 0x00010014, mnemonic: "load32_u", operands: "dso" },
    Opcode { value: 0x00010015, mnemonic: "i32.load8_s", operands: "dso" },
    Opcode { value: 0x00010016, mnemonic: "i32.load16_s", operands: "dso" },
    Opcode { value: 0x00010017, mnemonic: "i64.load8_s", operands: "dso" },
    Opcode { value: 0x00010018, mnemonic: "i64.load16_s", operands: "dso" },
    Opcode { value: 0x00010019, mnemonic: "i64.load32_s", operands: "dso" },
    Opcode { value: 0x0001001A, mnemonic: "store8", operands: "sso" },
    Opcode { value: 0x0001001B, mnemonic: "store16", operands: "sso" },
    Opcode { value: 0x0001001C, mnemonic: "store32", operands: "sso" },
    Opcode { value: 0x00010020, mnemonic: "buffer.alloc", operands: "as" },
    Opcode { value: 0x00010021, mnemonic: "buffer.size", operands: "db" },
    Opcode { value: 0x00010022, mnemonic: "buffer.address", operands: "db" },
    Opcode { value: 0x00020000, mnemonic: "i64.add", operands: "dss" },
    Opcode { value: 0x00020001, mnemonic: "i64.sub", operands: "dss" },
    Opcode { value: 0x00020002, mnemonic: "i64.mul", operands: "dss" },
    Opcode { value: 0x00020003, mnemonic: "i64.div_s", operands: "dss" },
    Opcode { value: 0x00020004, mnemonic: "i64.div_u", operands: "dss" },
    Opcode { value: 0x00020005, mnemonic: "i64.rem_s", operands: "dss" },
    Opcode { value: 0x00020006, mnemonic: "i64.rem_u", operands: "dss" },
    Opcode { value: 0x00020007, mnemonic: "i64.and", operands: "dss" },
    Opcode { value: 0x00020008, mnemonic: "i64.or", operands: "dss" },
    Opcode { value: 0x00020009, mnemonic: "i64.xor", operands: "dss" },
    Opcode { value: 0x0002000A, mnemonic: "i64.shl", operands: "dss" },
    Opcode { value: 0x0002000B, mnemonic: "i64.shr_s", operands: "dss" },
    Opcode { value: 0x0002000C, mnemonic: "i64.shr_u", operands: "dss" },
    Opcode { value: 0x0002000D, mnemonic: "i64.rotl", operands: "dss" },
    Opcode { value: 0x0002000E, mnemonic: "i64.rotr", operands: "dss" },
    Opcode { value: 0x0002000F, mnemonic: "i64.clz", operands: "ds" },
    Opcode { value: 0x00020010, mnemonic: "i64.ctz", operands: "ds" },
    Opcode { value: 0x00020011, mnemonic: "i64.popcnt", operands: "ds" },
    Opcode { value: 0x00020012, mnemonic: "i64.eqz", operands: "ds" },
    Opcode { value: 0x00020013, mnemonic: "i64.eq", operands: "dss" },
    Opcode { value: 0x00020014, mnemonic: "i64.ne", operands: "dss" },
    Opcode { value: 0x00020015, mnemonic: "i64.lt_s", operands: "dss" },
    Opcode { value: 0x00020016, mnemonic: "i64.lt_u", operands: "dss" },
    Opcode { value: 0x00020017, mnemonic: "i64.le_s", operands: "dss" },
    Opcode { value: 0x00020018, mnemonic: "i64.le_u", operands: "dss" },
    Opcode { value: 0x00020019, mnemonic: "i64.extend8_s", operands: "ds" },
    Opcode { value: 0x0002001A, mnemonic: "i64.extend16_s", operands: "ds" },
    Opcode { value: 0x0002001B, mnemonic: "i64.extend32_s", operands: "ds" },
    Opcode { value: 0x00020020, mnemonic: "i64.add_imm", operands: "dsi" },
    Opcode { value: 0x00020021, mnemonic: "i64.mul_imm", operands: "dsi" },
    Opcode { value: 0x00020022, mnemonic: "i64.and_imm", operands: "dsi" },
    Opcode { value: 0x00020023, mnemonic: "i64.or_imm", operands: "dsi" },
    Opcode { value: 0x00020024, mnemonic: "i64.xor_imm", operands: "dsi" },
    Opcode { value: 0x00020025, mnemonic: "i64.shl_imm", operands: "dsi" },
    Opcode { value: 0x00020026, mnemonic: "i64.shr_s_imm", operands: "dsi" },
    Opcode { value: 0x00020027, mnemonic: "i64.shr_u_imm", operands: "dsi" },
    Opcode { value: 0x00020100, mnemonic: "i32.add", operands: "dss" },
    Opcode { value: 0x00020101, mnemonic: "i32.sub", operands: "dss" },
    Opcode { value: 0x00020102, mnemonic: "i32.mul", operands: "dss" },
    Opcode { value: 0x00020103, mnemonic: "i32.div_s", operands: "dss" },
    Opcode { value: 0x00020104, mnemonic: "i32.div_u", operands: "dss" },
    Opcode { value: 0x00020105, mnemonic: "i32.rem_s", operands: "dss" },
    Opcode { value: 0x00020106, mnemonic: "i32.rem_u", operands: "dss" },
    Opcode { value: 0x00020107, mnemonic: "i32.and", operands: "dss" },
    Opcode { value: 0x00020108, mnemonic: "i32.or", operands: "dss" },
    Opcode { value: 0x00020109, mnemonic: "i32.xor", operands: "dss" },
    Opcode { value: 0x0002010A, mnemonic: "i32.shl", operands: "dss" },
    Opcode { value: 0x0002010B, mnemonic: "i32.shr_s", operands: "dss" },
    Opcode { value: 0x0002010C, mnemonic: "i32.shr_u", operands: "dss" },
    Opcode { value: 0x0002010D, mnemonic: "i32.rotl", operands: "dss" },
    Opcode { value: 0x0002010E, mnemonic: "i32.rotr", operands: "dss" },
    Opcode { value: 0x0002010F, mnemonic: "i32.clz", operands: "ds" },
    Opcode { value: 0x00020110, mnemonic: "i32.ctz", operands: "ds" },
    Opcode { value: 0x00020111, mnemonic: "i32.popcnt", operands: "ds" },
    Opcode { value: 0x00020112, mnemonic: "i32.eqz", operands: "ds" },
    Opcode { value: 0x00020113, mnemonic: "i32.eq", operands: "dss" },
    Opcode { value: 0x00020114, mnemonic: "i32.ne", operands: "dss" },
    Opcode { value: 0x00020115, mnemonic: "i32.lt_s", operands: "dss" },
    Opcode { value: 0x00020116, mnemonic: "i32.lt_u", operands: "dss" },
    Opcode { value: 0x00020117, mnemonic: "i32.le_s", operands: "dss" },
    Opcode { value: 0x00020118, mnemonic: "i32.le_u", operands: "dss" },
    Opcode { value: 0x00020119, mnemonic: "i32.extend8_s", operands: "ds" },
    Opcode { value: 0x0002011A, mnemonic: "i32.extend16_s", operands: "ds" },
    Opcode { value: 0x00020120, mnemonic: "i32.add_imm", operands: "dsi" },
    Opcode { value: 0x00020121, mnemonic: "i32.mul_imm", operands: "dsi" },
    Opcode { value: 0x00020122, mnemonic: "i32.and_imm", operands: "dsi" },
    Opcode { value: 0x00020123, mnemonic: "i32.or_imm", operands: "dsi" },
    Opcode { value: 0x00020124, mnemonic: "i32.xor_imm", operands: "dsi" },
    Opcode { value: 0x00020125, mnemonic: "i32.shl_imm", operands: "dsi" },
    Opcode { value: 0x00020126, mnemonic: "i32.shr_s_imm", operands: "dsi" },
    Opcode { value: 0x00020127, mnemonic: "i32.shr_u_imm", operands: "dsi" },
    Opcode { value: 0x00020200, mnemonic: "f32.add", operands: "dss" },
    Opcode { value: 0x00020201, mnemonic: "f32.sub", operands: "dss" },
    Opcode { value: 0x00020202, mnemonic: "f32.mul", operands: "dss" },
    Opcode { value: 0x00020203, mnemonic: "f32.div", operands: "dss" },
    Opcode { value: 0x00020204, mnemonic: "f32.sqrt", operands: "ds" },
    Opcode { value: 0x00020205, mnemonic: "f32.fma", operands: "dsss" },
    Opcode { value: 0x00020206, mnemonic: "f32.min", operands: "dss" },
    Opcode { value: 0x00020207, mnemonic: "f32.max", operands: "dss" },
    Opcode { value: 0x00020208, mnemonic: "f32.abs", operands: "ds" },
    Opcode { value: 0x00020209, mnemonic: "f32.neg", operands: "ds" },
    Opcode { value: 0x0002020A, mnemonic: "f32.copysign", operands: "dss" },
    Opcode { value: 0x0002020B, mnemonic: "f32.ceil", operands: "ds" },
    Opcode { value: 0x0002020C, mnemonic: "f32.floor", operands: "ds" },
    Opcode { value: 0x0002020D, mnemonic: "f32.trunc", operands: "ds" },
    Opcode { value: 0x0002020E, mnemonic: "f32.nearest", operands: "ds" },
    Opcode { value: 0x0002020F, mnemonic: "f32.eq", operands: "dss" },
    Opcode { value: 0x00020210, mnemonic: "f32.ne", operands: "dss" },
    Opcode { value: 0x00020211, mnemonic: "f32.lt", operands: "dss" },
    Opcode { value: 0x00020212, mnemonic: "f32.le", operands: "dss" },
    Opcode { value: 0x00020300, mnemonic: "f64.add", operands: "dss" },
    Opcode { value: 0x00020301, mnemonic: "f64.sub", operands: "dss" },
    Opcode { value: 0x00020302, mnemonic: "f64.mul", operands: "dss" },
    Opcode { value: 0x00020303, mnemonic: "f64.div", operands: "dss" },
    Opcode { value: 0x00020304, mnemonic: "f64.sqrt", operands: "ds" },
    Opcode { value: 0x00020305, mnemonic: "f64.fma", operands: "dsss" },
    Opcode { value: 0x00020306, mnemonic: "f64.min", operands: "dss" },
    Opcode { value: 0x00020307, mnemonic: "f64.max", operands: "dss" },
    Opcode { value: 0x00020308, mnemonic: "f64.abs", operands: "ds" },
    Opcode { value: 0x00020309, mnemonic: "f64.neg", operands: "ds" },
    Opcode { value: 0x0002030A, mnemonic: "f64.copysign", operands: "dss" },
    Opcode { value: 0x0002030B, mnemonic: "f64.ceil", operands: "ds" },
    Opcode { value: 0x0002030C, mnemonic: "f64.floor", operands: "ds" },
    Opcode { value: 0x0002030D, mnemonic: "f64.trunc", operands: "ds" },
    Opcode { value: 0x0002030E, mnemonic: "f64.nearest", operands: "ds" },
    Opcode { value: 0x0002030F, mnemonic: "f64.eq", operands: "dss" },
    Opcode { value: 0x00020310, mnemonic: "f64.ne", operands: "dss" },
    Opcode { value: 0x00020311, mnemonic: "f64.lt", operands: "dss" },
    Opcode { value: 0x00020312, mnemonic: "f64.le", operands: "dss" },
    Opcode { value: 0x00020400, mnemonic: "i32.wrap_i64", operands: "ds" },
    Opcode { value: 0x00020401, mnemonic: "i64.extend_i32_s", operands: "ds" },
    Opcode { value: 0x00020402, mnemonic: "i64.extend_i32_u", operands: "ds" },
    Opcode { value: 0x00020403, mnemonic: "f32.demote_f64", operands: "ds" },
    Opcode { value: 0x00020404, mnemonic: "f64.promote_f32", operands: "ds" },
    Opcode { value: 0x00020408, mnemonic: "f32.convert_i32_s", operands: "ds" },
    Opcode { value: 0x00020409, mnemonic: "f32.convert_i32_u", operands: "ds" },
    Opcode { value: 0x0002040A, mnemonic: "f32.convert_i64_s", operands: "ds" },
    Opcode { value: 0x0002040B, mnemonic: "f32.convert_i64_u", operands: "ds" },
    Opcode { value: 0x0002040C, mnemonic: "f64.convert_i32_s", operands: "ds" },
    Opcode { value: 0x0002040D, mnemonic: "f64.convert_i32_u", operands: "ds" },
    Opcode { value: 0x0002040E, mnemonic: "f64.convert_i64_s", operands: "ds" },
    Opcode { value: 0x0002040F, mnemonic: "f64.convert_i64_u", operands: "ds" },
    Opcode { value: 0x00020410, mnemonic: "i32.trunc_f32_s", operands: "ds" },
    Opcode { value: 0x00020411, mnemonic: "i32.trunc_f32_u", operands: "ds" },
    Opcode { value: 0x00020412, mnemonic: "i32.trunc_f64_s", operands: "ds" },
    Opcode { value: 0x00020413, mnemonic: "i32.trunc_f64_u", operands: "ds" },
    Opcode { value: 0x00020414, mnemonic: "i64.trunc_f32_s", operands: "ds" },
    Opcode { value: 0x00020415, mnemonic: "i64.trunc_f32_u", operands: "ds" },
    Opcode { value: 0x00020416, mnemonic: "i64.trunc_f64_s", operands: "ds" },
    Opcode { value: 0x00020417, mnemonic: "i64.trunc_f64_u", operands: "ds" },
    Opcode { value: 0x00020418, mnemonic: "i32.trunc_sat_f32_s", operands: "ds" },
    Opcode { value: 0x00020419, mnemonic: "i32.trunc_sat_f32_u", operands: "ds" },
    Opcode { value: 0x0002041A, mnemonic: "i32.trunc_sat_f64_s", operands: "ds" },
    Opcode { value: 0x0002041B, mnemonic: "i32.trunc_sat_f64_u", operands: "ds" },
    Opcode { value: 0x0002041C, mnemonic: "i64.trunc_sat_f32_s", operands: "ds" },
    Opcode { value: 0x0002041D, mnemonic: "i64.trunc_sat_f32_u", operands: "ds" },
    Opcode { value: 0x0002041E, mnemonic: "i64.trunc_sat_f64_s", operands: "ds" },
    Opcode { value: 0x0002041F, mnemonic: "i64.trunc_sat_f64_u", operands: "ds" },
    Opcode { value: 0x00020500, mnemonic: "move", operands: "ds" },
    Opcode { value: 0x00020501, mnemonic: "i32.const", operands: "di" },
    Opcode { value: 0x00020502, mnemonic: "i64.const", operands: "dl" },
    Opcode { value: 0x00020503, mnemonic: "f32.const", operands: "df" },
    Opcode { value: 0x00020504, mnemonic: "f64.const", operands: "dg" },
    Opcode { value: 0x00020505, mnemonic: "select", operands: "dsss" },
    Opcode { value: 0x00020506, mnemonic: "global.get", operands: "dn" },
    Opcode { value: 0x00020507, mnemonic: "global.set", operands: "ns" },
    Opcode { value: 0x00030000, mnemonic: "tensor.matmul", operands: "ttukkk" },
    Opcode { value: 0x00030001, mnemonic: "tensor.transpose", operands: "tukk" },
    Opcode { value: 0x00030002, mnemonic: "tensor.softmax", operands: "tukk" },
    Opcode { value: 0x00030003, mnemonic: "tensor.relu", operands: "tuk" },
    Opcode { value: 0x00030004, mnemonic: "tensor.sigmoid", operands: "tuk" },
    Opcode { value: 0x00030005, mnemonic: "tensor.tanh", operands: "tuk" },
    Opcode { value: 0x00030006, mnemonic: "tensor.gelu", operands: "tuk" },
    Opcode { value: 0x00030007, mnemonic: "tensor.gelu_tanh", operands: "tuk" },
    Opcode { value: 0x00030008, mnemonic: "tensor.silu", operands: "tuk" },
    Opcode { value: 0x00030009, mnemonic: "tensor.exp", operands: "tuk" },
    Opcode { value: 0x0003000A, mnemonic: "tensor.log", operands: "tuk" },
    Opcode { value: 0x0003000B, mnemonic: "tensor.sin", operands: "tuk" },
    Opcode { value: 0x0003000C, mnemonic: "tensor.cos", operands: "tuk" },
    Opcode { value: 0x0003000D, mnemonic: "tensor.erf", operands: "tuk" },
    Opcode { value: 0x00030010, mnemonic: "tensor.add", operands: "ttuk" },
    Opcode { value: 0x00030011, mnemonic: "tensor.sub", operands: "ttuk" },
    Opcode { value: 0x00030012, mnemonic: "tensor.mul", operands: "ttuk" },
    Opcode { value: 0x00030013, mnemonic: "tensor.div", operands: "ttuk" },
    Opcode { value: 0x00030014, mnemonic: "tensor.scale", operands: "tukq" },
    Opcode { value: 0x00030018, mnemonic: "tensor.layernorm", operands: "tttukkq" },
    Opcode { value: 0x00030019, mnemonic: "tensor.sum", operands: "tukk" },
    Opcode { value: 0x0003001A, mnemonic: "tensor.max", operands: "tukk" },
    Opcode { value: 0x0003001B, mnemonic: "tensor.argmax", operands: "tukk" },
    Opcode { value: 0x00030020, mnemonic: "tensor.attention", operands: "tttukk" },
    Opcode { value: 0x00030021, mnemonic: "tensor.multihead_attention", operands: "tttukkke" },
    Opcode { value: 0x00030022, mnemonic: "tensor.embedding", operands: "ttukkk" },
    Opcode { value: 0x00030023, mnemonic: "tensor.ffn", operands: "tttttukkkh" },
    Opcode { value: 0x00030024, mnemonic: "tensor.matmul_ex", operands: "tttukkkeh" },
    Opcode { value: 0x00030025, mnemonic: "tensor.matmul_i8", operands: "ttukkk" },
    Opcode { value: 0x00030026, mnemonic: "tensor.matmul_strided", operands: "tttukkkkkkkkkkeh" },
    Opcode { value: 0x00030027, mnemonic: "tensor.matmul_i8_ex", operands: "ttukkke" },
    Opcode { value: 0x00030028, mnemonic: "tensor.matmul_f16", operands: "ttukkke" },
    Opcode { value: 0x00030029, mnemonic: "tensor.matmul_bf16", operands: "ttukkke" },
    Opcode { value: 0x0003002A, mnemonic: "tensor.quantize_scale", operands: "tukk" },
    Opcode { value: 0x0003002B, mnemonic: "tensor.quantize", operands: "ttukk" },
    Opcode { value: 0x0003002C, mnemonic: "tensor.dequantize", operands: "ttttukkeh" },
    Opcode { value: 0x00030030, mnemonic: "tensor.copy", operands: "tuk" },
    Opcode { value: 0x00030031, mnemonic: "tensor.fill", operands: "ukq" },
    Opcode { value: 0x00030032, mnemonic: "tensor.widen_f16", operands: "tuk" },
    Opcode { value: 0x00030033, mnemonic: "tensor.widen_bf16", operands: "tuk" },
    Opcode { value: 0x00030034, mnemonic: "tensor.narrow_f16", operands: "tuk" },
    Opcode { value: 0x00030035, mnemonic: "tensor.narrow_bf16", operands: "tuk" },
    Opcode { value: 0x00040000, mnemonic: "spawn", operands: "dcr" },
    Opcode { value: 0x00040001, mnemonic: "yield", operands: "" },
    Opcode { value: 0x00040002, mnemonic: "join", operands: "ds" },
    Opcode { value: 0x00040003, mnemonic: "channel", operands: "d" },
    Opcode { value: 0x00040004, mnemonic: "send", operands: "ss" },
    Opcode { value: 0x00040005, mnemonic: "receive", operands: "ds" },
    Opcode { value: 0x00040100, mnemonic: "write", operands: "ss" },
    Opcode { value: 0x00040101, mnemonic: "input.dim", operands: "dIn" },
    Opcode { value: 0x00040102, mnemonic: "output.dim", operands: "Ons" },
    Opcode { value: 0x56000001, mnemonic: "vk.init", operands: "" },
    Opcode { value: 0x56000010, mnemonic: "vk.alloc", operands: "za" },
    Opcode { value: 0x56000011, mnemonic: "vk.free", operands: "x" },
    Opcode { value: 0x56000020, mnemonic: "vk.compute", operands: "nnnn" },
    Opcode { value: 0x56000021, mnemonic: "vk.shader", operands: "npz" },
    Opcode { value: 0x56000022, mnemonic: "vk.bind", operands: "nw" },
    Opcode { value: 0x56000023, mnemonic: "vk.push", operands: "pz" },
    Opcode { value: 0x56000030, mnemonic: "vk.submit", operands: "" },
    Opcode { value: 0x560000F0, mnemonic: "vk.sync", operands: "" },
    Opcode { value: 0xC0DA0000, mnemonic: "gpu.nop", operands: "" },
    Opcode { value: 0xC0DA0001, mnemonic: "gpu.init", operands: "" },
    Opcode { value: 0xC0DA0002, mnemonic: "gpu.shutdown", operands: "" },
    Opcode { value: 0xC0DA0010, mnemonic: "gpu.alloc", operands: "za" },
    Opcode { value: 0xC0DA0011, mnemonic: "gpu.free", operands: "x" },
    Opcode { value: 0xC0DA0012, mnemonic: "gpu.copy_h2d", operands: "pwz" },
    Opcode { value: 0xC0DA0013, mnemonic: "gpu.copy_d2h", operands: "bpz" },
    Opcode { value: 0xC0DA0014, mnemonic: "gpu.memset", operands: "wBz" },
    Opcode { value: 0xC0DA0020, mnemonic: "gpu.matmul", operands: "bbwmmm" },
    Opcode { value: 0xC0DA0021, mnemonic: "gpu.add", operands: "bbwz" },
    Opcode { value: 0xC0DA0022, mnemonic: "gpu.sub", operands: "bbwz" },
    Opcode { value: 0xC0DA0023, mnemonic: "gpu.mul", operands: "bbwz" },
    Opcode { value: 0xC0DA0024, mnemonic: "gpu.div", operands: "bbwz" },
    Opcode { value: 0xC0DA0025, mnemonic: "gpu.scale", operands: "bwzf" },
    Opcode { value: 0xC0DA0026, mnemonic: "gpu.transpose", operands: "bwmm" },
    Opcode { value: 0xC0DA0027, mnemonic: "gpu.matmul_ex", operands: "bbbwmmmeh" },
    Opcode { value: 0xC0DA0028, mnemonic: "gpu.matmul_i8", operands: "bbwmmm" },
    Opcode { value: 0xC0DA0030, mnemonic: "gpu.relu", operands: "bwz" },
    Opcode { value: 0xC0DA0031, mnemonic: "gpu.sigmoid", operands: "bwz" },
    Opcode { value: 0xC0DA0032, mnemonic: "gpu.tanh", operands: "bwz" },
    Opcode { value: 0xC0DA0033, mnemonic: "gpu.softmax", operands: "bwmm" },
    Opcode { value: 0xC0DA0034, mnemonic: "gpu.gelu", operands: "bwz" },
    Opcode { value: 0xC0DA0035, mnemonic: "gpu.gelu_tanh", operands: "bwz" },
    Opcode { value: 0xC0DA0036, mnemonic: "gpu.silu", operands: "bwz" },
    Opcode { value: 0xC0DA0040, mnemonic: "gpu.attention", operands: "bbbwmm" },
    Opcode { value: 0xC0DA0041, mnemonic: "gpu.multihead_attn", operands: "bbbwmmme" },
    Opcode { value: 0xC0DA0042, mnemonic: "gpu.ffn", operands: "bbwmmm" },
    Opcode { value: 0xC0DA0043, mnemonic: "gpu.layernorm", operands: "bbbwmmf" },
    Opcode { value: 0xC0DA0044, mnemonic: "gpu.embedding", operands: "bbwmmm" },
    Opcode { value: 0xC0DA0045, mnemonic: "gpu.ffn_weights", operands: "bbbbbwmmmh" },
    Opcode { value: 0xC0DA0050, mnemonic: "gpu.sum", operands: "bwmm" },
    Opcode { value: 0xC0DA0051, mnemonic: "gpu.max", operands: "bwmm" },
    Opcode { value: 0xC0DA0052, mnemonic: "gpu.argmax", operands: "bwmm" },
    Opcode { value: 0xC0DA00F0, mnemonic: "gpu.sync", operands: "" },
    Opcode { value: 0xC0DA00F1, mnemonic: "gpu.barrier", operands: "" },
    Opcode { value: 0xC0DAFFFF, mnemonic: "gpu.end", operands: "" },
];

/// Values by name.
pub mod opcode {
    pub const NOP: u32 = 0x00000000;
    pub const FUNC: u32 = 0x00000001;
    pub const JUMP: u32 = 0x00000010;
    pub const JUMP_IF: u32 = 0x00000011;
    pub const JUMP_UNLESS: u32 = 0x00000012;
    pub const JUMP_TABLE: u32 = 0x00000013;
    pub const CALL: u32 = 0x00000020;
    pub const CALL_INDIRECT: u32 = 0x00000021;
    pub const RETURN: u32 = 0x00000022;
    pub const CALL_FOREIGN: u32 = 0x00000028;
    pub const TRAP: u32 = 0x000000FE;
    pub const HALT: u32 = 0x000000FF;
    pub const JUMP_I32_EQ: u32 = 0x00000100;
    pub const JUMP_I32_NE: u32 = 0x00000101;
    pub const JUMP_I32_LT_S: u32 = 0x00000102;
    pub const JUMP_I32_LT_U: u32 = 0x00000103;
    pub const JUMP_I32_LE_S: u32 = 0x00000104;
    pub const JUMP_I32_LE_U: u32 = 0x00000105;
    pub const JUMP_I32_EQ_IMM: u32 = 0x00000110;
    pub const JUMP_I32_NE_IMM: u32 = 0x00000111;
    pub const JUMP_I32_LT_S_IMM: u32 = 0x00000112;
    pub const JUMP_I32_LT_U_IMM: u32 = 0x00000113;
    pub const JUMP_I32_LE_S_IMM: u32 = 0x00000114;
    pub const JUMP_I32_LE_U_IMM: u32 = 0x00000115;
    pub const JUMP_I32_GT_S_IMM: u32 = 0x00000116;
    pub const JUMP_I32_GT_U_IMM: u32 = 0x00000117;
    pub const JUMP_I32_GE_S_IMM: u32 = 0x00000118;
    pub const JUMP_I32_GE_U_IMM: u32 = 0x00000119;
    pub const JUMP_I64_EQ: u32 = 0x00000120;
    pub const JUMP_I64_NE: u32 = 0x00000121;
    pub const JUMP_I64_LT_S: u32 = 0x00000122;
    pub const JUMP_I64_LT_U: u32 = 0x00000123;
    pub const JUMP_I64_LE_S: u32 = 0x00000124;
    pub const JUMP_I64_LE_U: u32 = 0x00000125;
    pub const JUMP_I64_EQ_IMM: u32 = 0x00000130;
    pub const JUMP_I64_NE_IMM: u32 = 0x00000131;
    pub const JUMP_I64_LT_S_IMM: u32 = 0x00000132;
    pub const JUMP_I64_LT_U_IMM: u32 = 0x00000133;
    pub const JUMP_I64_LE_S_IMM: u32 = 0x00000134;
    pub const JUMP_I64_LE_U_IMM: u32 = 0x00000135;
    pub const JUMP_I64_GT_S_IMM: u32 = 0x00000136;
    pub const JUMP_I64_GT_U_IMM: u32 = 0x00000137;
    pub const JUMP_I64_GE_S_IMM: u32 = 0x00000138;
    pub const JUMP_I64_GE_U_IMM: u32 = 0x00000139;
    pub const JUMP_F32_EQ: u32 = 0x00000140;
    pub const JUMP_F32_NE: u32 = 0x00000141;
    pub const JUMP_F32_LT: u32 = 0x00000142;
    pub const JUMP_F32_LE: u32 = 0x00000143;
    pub const JUMP_F64_EQ: u32 = 0x00000150;
    pub const JUMP_F64_NE: u32 = 0x00000151;
    pub const JUMP_F64_LT: u32 = 0x00000152;
    pub const JUMP_F64_LE: u32 = 0x00000153;
    pub const ALLOC: u32 = 0x00010000;
    pub const FREE: u32 = 0x00010001;
    pub const MEMORY_SIZE: u32 = 0x00010002;
    pub const MEMORY_GROW: u32 = 0x00010003;
    pub const MEMORY_COPY: u32 = 0x00010004;
    pub const MEMORY_FILL: u32 = 0x00010005;
    pub const LOAD: u32 = 0x00010010;
    pub const STORE: u32 = 0x00010011;
    pub const LOAD8_U: u32 = 0x00010012;
    pub const LOAD16_U: u32 = 0x00010013;
    pub const LOAD32_U: u32 = 0x00010014;
    pub const I32_LOAD8_S: u32 = 0x00010015;
    pub const I32_LOAD16_S: u32 = 0x00010016;
    pub const I64_LOAD8_S: u32 = 0x00010017;
    pub const I64_LOAD16_S: u32 = 0x00010018;
    pub const I64_LOAD32_S: u32 = 0x00010019;
    pub const STORE8: u32 = 0x0001001A;
    pub const STORE16: u32 = 0x0001001B;
    pub const STORE32: u32 = 0x0001001C;
    pub const BUFFER_ALLOC: u32 = 0x00010020;
    pub const BUFFER_SIZE: u32 = 0x00010021;
    pub const BUFFER_ADDRESS: u32 = 0x00010022;
    pub const I64_ADD: u32 = 0x00020000;
    pub const I64_SUB: u32 = 0x00020001;
    pub const I64_MUL: u32 = 0x00020002;
    pub const I64_DIV_S: u32 = 0x00020003;
    pub const I64_DIV_U: u32 = 0x00020004;
    pub const I64_REM_S: u32 = 0x00020005;
    pub const I64_REM_U: u32 = 0x00020006;
    pub const I64_AND: u32 = 0x00020007;
    pub const I64_OR: u32 = 0x00020008;
    pub const I64_XOR: u32 = 0x00020009;
    pub const I64_SHL: u32 = 0x0002000A;
    pub const I64_SHR_S: u32 = 0x0002000B;
    pub const I64_SHR_U: u32 = 0x0002000C;
    pub const I64_ROTL: u32 = 0x0002000D;
    pub const I64_ROTR: u32 = 0x0002000E;
    pub const I64_CLZ: u32 = 0x0002000F;
    pub const I64_CTZ: u32 = 0x00020010;
    pub const I64_POPCNT: u32 = 0x00020011;
    pub const I64_EQZ: u32 = 0x00020012;
    pub const I64_EQ: u32 = 0x00020013;
    pub const I64_NE: u32 = 0x00020014;
    pub const I64_LT_S: u32 = 0x00020015;
    pub const I64_LT_U: u32 = 0x00020016;
    pub const I64_LE_S: u32 = 0x00020017;
    pub const I64_LE_U: u32 = 0x00020018;
    pub const I64_EXTEND8_S: u32 = 0x00020019;
    pub const I64_EXTEND16_S: u32 = 0x0002001A;
    pub const I64_EXTEND32_S: u32 = 0x0002001B;
    pub const I64_ADD_IMM: u32 = 0x00020020;
    pub const I64_MUL_IMM: u32 = 0x00020021;
    pub const I64_AND_IMM: u32 = 0x00020022;
    pub const I64_OR_IMM: u32 = 0x00020023;
    pub const I64_XOR_IMM: u32 = 0x00020024;
    pub const I64_SHL_IMM: u32 = 0x00020025;
    pub const I64_SHR_S_IMM: u32 = 0x00020026;
    pub const I64_SHR_U_IMM: u32 = 0x00020027;
    pub const I32_ADD: u32 = 0x00020100;
    pub const I32_SUB: u32 = 0x00020101;
    pub const I32_MUL: u32 = 0x00020102;
    pub const I32_DIV_S: u32 = 0x00020103;
    pub const I32_DIV_U: u32 = 0x00020104;
    pub const I32_REM_S: u32 = 0x00020105;
    pub const I32_REM_U: u32 = 0x00020106;
    pub const I32_AND: u32 = 0x00020107;
    pub const I32_OR: u32 = 0x00020108;
    pub const I32_XOR: u32 = 0x00020109;
    pub const I32_SHL: u32 = 0x0002010A;
    pub const I32_SHR_S: u32 = 0x0002010B;
    pub const I32_SHR_U: u32 = 0x0002010C;
    pub const I32_ROTL: u32 = 0x0002010D;
    pub const I32_ROTR: u32 = 0x0002010E;
    pub const I32_CLZ: u32 = 0x0002010F;
    pub const I32_CTZ: u32 = 0x00020110;
    pub const I32_POPCNT: u32 = 0x00020111;
    pub const I32_EQZ: u32 = 0x00020112;
    pub const I32_EQ: u32 = 0x00020113;
    pub const I32_NE: u32 = 0x00020114;
    pub const I32_LT_S: u32 = 0x00020115;
    pub const I32_LT_U: u32 = 0x00020116;
    pub const I32_LE_S: u32 = 0x00020117;
    pub const I32_LE_U: u32 = 0x00020118;
    pub const I32_EXTEND8_S: u32 = 0x00020119;
    pub const I32_EXTEND16_S: u32 = 0x0002011A;
    pub const I32_ADD_IMM: u32 = 0x00020120;
    pub const I32_MUL_IMM: u32 = 0x00020121;
    pub const I32_AND_IMM: u32 = 0x00020122;
    pub const I32_OR_IMM: u32 = 0x00020123;
    pub const I32_XOR_IMM: u32 = 0x00020124;
    pub const I32_SHL_IMM: u32 = 0x00020125;
    pub const I32_SHR_S_IMM: u32 = 0x00020126;
    pub const I32_SHR_U_IMM: u32 = 0x00020127;
    pub const F32_ADD: u32 = 0x00020200;
    pub const F32_SUB: u32 = 0x00020201;
    pub const F32_MUL: u32 = 0x00020202;
    pub const F32_DIV: u32 = 0x00020203;
    pub const F32_SQRT: u32 = 0x00020204;
    pub const F32_FMA: u32 = 0x00020205;
    pub const F32_MIN: u32 = 0x00020206;
    pub const F32_MAX: u32 = 0x00020207;
    pub const F32_ABS: u32 = 0x00020208;
    pub const F32_NEG: u32 = 0x00020209;
    pub const F32_COPYSIGN: u32 = 0x0002020A;
    pub const F32_CEIL: u32 = 0x0002020B;
    pub const F32_FLOOR: u32 = 0x0002020C;
    pub const F32_TRUNC: u32 = 0x0002020D;
    pub const F32_NEAREST: u32 = 0x0002020E;
    pub const F32_EQ: u32 = 0x0002020F;
    pub const F32_NE: u32 = 0x00020210;
    pub const F32_LT: u32 = 0x00020211;
    pub const F32_LE: u32 = 0x00020212;
    pub const F64_ADD: u32 = 0x00020300;
    pub const F64_SUB: u32 = 0x00020301;
    pub const F64_MUL: u32 = 0x00020302;
    pub const F64_DIV: u32 = 0x00020303;
    pub const F64_SQRT: u32 = 0x00020304;
    pub const F64_FMA: u32 = 0x00020305;
    pub const F64_MIN: u32 = 0x00020306;
    pub const F64_MAX: u32 = 0x00020307;
    pub const F64_ABS: u32 = 0x00020308;
    pub const F64_NEG: u32 = 0x00020309;
    pub const F64_COPYSIGN: u32 = 0x0002030A;
    pub const F64_CEIL: u32 = 0x0002030B;
    pub const F64_FLOOR: u32 = 0x0002030C;
    pub const F64_TRUNC: u32 = 0x0002030D;
    pub const F64_NEAREST: u32 = 0x0002030E;
    pub const F64_EQ: u32 = 0x0002030F;
    pub const F64_NE: u32 = 0x00020310;
    pub const F64_LT: u32 = 0x00020311;
    pub const F64_LE: u32 = 0x00020312;
    pub const I32_WRAP_I64: u32 = 0x00020400;
    pub const I64_EXTEND_I32_S: u32 = 0x00020401;
    pub const I64_EXTEND_I32_U: u32 = 0x00020402;
    pub const F32_DEMOTE_F64: u32 = 0x00020403;
    pub const F64_PROMOTE_F32: u32 = 0x00020404;
    pub const F32_CONVERT_I32_S: u32 = 0x00020408;
    pub const F32_CONVERT_I32_U: u32 = 0x00020409;
    pub const F32_CONVERT_I64_S: u32 = 0x0002040A;
    pub const F32_CONVERT_I64_U: u32 = 0x0002040B;
    pub const F64_CONVERT_I32_S: u32 = 0x0002040C;
    pub const F64_CONVERT_I32_U: u32 = 0x0002040D;
    pub const F64_CONVERT_I64_S: u32 = 0x0002040E;
    pub const F64_CONVERT_I64_U: u32 = 0x0002040F;
    pub const I32_TRUNC_F32_S: u32 = 0x00020410;
    pub const I32_TRUNC_F32_U: u32 = 0x00020411;
    pub const I32_TRUNC_F64_S: u32 = 0x00020412;
    pub const I32_TRUNC_F64_U: u32 = 0x00020413;
    pub const I64_TRUNC_F32_S: u32 = 0x00020414;
    pub const I64_TRUNC_F32_U: u32 = 0x00020415;
    pub const I64_TRUNC_F64_S: u32 = 0x00020416;
    pub const I64_TRUNC_F64_U: u32 = 0x00020417;
    pub const I32_TRUNC_SAT_F32_S: u32 = 0x00020418;
    pub const I32_TRUNC_SAT_F32_U: u32 = 0x00020419;
    pub const I32_TRUNC_SAT_F64_S: u32 = 0x0002041A;
    pub const I32_TRUNC_SAT_F64_U: u32 = 0x0002041B;
    pub const I64_TRUNC_SAT_F32_S: u32 = 0x0002041C;
    pub const I64_TRUNC_SAT_F32_U: u32 = 0x0002041D;
    pub const I64_TRUNC_SAT_F64_S: u32 = 0x0002041E;
    pub const I64_TRUNC_SAT_F64_U: u32 = 0x0002041F;
    pub const MOVE: u32 = 0x00020500;
    pub const I32_CONST: u32 = 0x00020501;
    pub const I64_CONST: u32 = 0x00020502;
    pub const F32_CONST: u32 = 0x00020503;
    pub const F64_CONST: u32 = 0x00020504;
    pub const SELECT: u32 = 0x00020505;
    pub const GLOBAL_GET: u32 = 0x00020506;
    pub const GLOBAL_SET: u32 = 0x00020507;
    pub const TENSOR_MATMUL: u32 = 0x00030000;
    pub const TENSOR_TRANSPOSE: u32 = 0x00030001;
    pub const TENSOR_SOFTMAX: u32 = 0x00030002;
    pub const TENSOR_RELU: u32 = 0x00030003;
    pub const TENSOR_SIGMOID: u32 = 0x00030004;
    pub const TENSOR_TANH: u32 = 0x00030005;
    pub const TENSOR_GELU: u32 = 0x00030006;
    pub const TENSOR_GELU_TANH: u32 = 0x00030007;
    pub const TENSOR_SILU: u32 = 0x00030008;
    pub const TENSOR_EXP: u32 = 0x00030009;
    pub const TENSOR_LOG: u32 = 0x0003000A;
    pub const TENSOR_SIN: u32 = 0x0003000B;
    pub const TENSOR_COS: u32 = 0x0003000C;
    pub const TENSOR_ERF: u32 = 0x0003000D;
    pub const TENSOR_ADD: u32 = 0x00030010;
    pub const TENSOR_SUB: u32 = 0x00030011;
    pub const TENSOR_MUL: u32 = 0x00030012;
    pub const TENSOR_DIV: u32 = 0x00030013;
    pub const TENSOR_SCALE: u32 = 0x00030014;
    pub const TENSOR_LAYERNORM: u32 = 0x00030018;
    pub const TENSOR_SUM: u32 = 0x00030019;
    pub const TENSOR_MAX: u32 = 0x0003001A;
    pub const TENSOR_ARGMAX: u32 = 0x0003001B;
    pub const TENSOR_ATTENTION: u32 = 0x00030020;
    pub const TENSOR_MULTIHEAD: u32 = 0x00030021;
    pub const TENSOR_EMBEDDING: u32 = 0x00030022;
    pub const TENSOR_FFN: u32 = 0x00030023;
    pub const TENSOR_MATMUL_EX: u32 = 0x00030024;
    pub const TENSOR_MATMUL_I8: u32 = 0x00030025;
    pub const TENSOR_MATMUL_STRIDED: u32 = 0x00030026;
    pub const TENSOR_MATMUL_I8_EX: u32 = 0x00030027;
    pub const TENSOR_MATMUL_F16: u32 = 0x00030028;
    pub const TENSOR_MATMUL_BF16: u32 = 0x00030029;
    pub const TENSOR_QUANTIZE_SCALE: u32 = 0x0003002A;
    pub const TENSOR_QUANTIZE: u32 = 0x0003002B;
    pub const TENSOR_DEQUANTIZE: u32 = 0x0003002C;
    pub const TENSOR_COPY: u32 = 0x00030030;
    pub const TENSOR_FILL: u32 = 0x00030031;
    pub const TENSOR_WIDEN_F16: u32 = 0x00030032;
    pub const TENSOR_WIDEN_BF16: u32 = 0x00030033;
    pub const TENSOR_NARROW_F16: u32 = 0x00030034;
    pub const TENSOR_NARROW_BF16: u32 = 0x00030035;
    pub const SPAWN: u32 = 0x00040000;
    pub const YIELD: u32 = 0x00040001;
    pub const JOIN: u32 = 0x00040002;
    pub const CHANNEL: u32 = 0x00040003;
    pub const SEND: u32 = 0x00040004;
    pub const RECEIVE: u32 = 0x00040005;
    pub const WRITE: u32 = 0x00040100;
    pub const INPUT_DIM: u32 = 0x00040101;
    pub const OUTPUT_DIM: u32 = 0x00040102;
    pub const VK_INIT: u32 = 0x56000001;
    pub const VK_ALLOC: u32 = 0x56000010;
    pub const VK_FREE: u32 = 0x56000011;
    pub const VK_COMPUTE: u32 = 0x56000020;
    pub const VK_SHADER: u32 = 0x56000021;
    pub const VK_BIND: u32 = 0x56000022;
    pub const VK_PUSH: u32 = 0x56000023;
    pub const VK_SUBMIT: u32 = 0x56000030;
    pub const VK_SYNC: u32 = 0x560000F0;
    pub const GPU_NOP: u32 = 0xC0DA0000;
    pub const GPU_INIT: u32 = 0xC0DA0001;
    pub const GPU_SHUTDOWN: u32 = 0xC0DA0002;
    pub const GPU_ALLOC: u32 = 0xC0DA0010;
    pub const GPU_FREE: u32 = 0xC0DA0011;
    pub const GPU_COPY_H2D: u32 = 0xC0DA0012;
    pub const GPU_COPY_D2H: u32 = 0xC0DA0013;
    pub const GPU_MEMSET: u32 = 0xC0DA0014;
    pub const GPU_MATMUL: u32 = 0xC0DA0020;
    pub const GPU_ADD: u32 = 0xC0DA0021;
    pub const GPU_SUB: u32 = 0xC0DA0022;
    pub const GPU_MUL: u32 = 0xC0DA0023;
    pub const GPU_DIV: u32 = 0xC0DA0024;
    pub const GPU_SCALE: u32 = 0xC0DA0025;
    pub const GPU_TRANSPOSE: u32 = 0xC0DA0026;
    pub const GPU_MATMUL_EX: u32 = 0xC0DA0027;
    pub const GPU_MATMUL_I8: u32 = 0xC0DA0028;
    pub const GPU_RELU: u32 = 0xC0DA0030;
    pub const GPU_SIGMOID: u32 = 0xC0DA0031;
    pub const GPU_TANH: u32 = 0xC0DA0032;
    pub const GPU_SOFTMAX: u32 = 0xC0DA0033;
    pub const GPU_GELU: u32 = 0xC0DA0034;
    pub const GPU_GELU_TANH: u32 = 0xC0DA0035;
    pub const GPU_SILU: u32 = 0xC0DA0036;
    pub const GPU_ATTENTION: u32 = 0xC0DA0040;
    pub const GPU_MULTIHEAD_ATTN: u32 = 0xC0DA0041;
    pub const GPU_FFN: u32 = 0xC0DA0042;
    pub const GPU_LAYERNORM: u32 = 0xC0DA0043;
    pub const GPU_EMBEDDING: u32 = 0xC0DA0044;
    pub const GPU_FFN_WEIGHTS: u32 = 0xC0DA0045;
    pub const GPU_SUM: u32 = 0xC0DA0050;
    pub const GPU_MAX: u32 = 0xC0DA0051;
    pub const GPU_ARGMAX: u32 = 0xC0DA0052;
    pub const GPU_SYNC: u32 = 0xC0DA00F0;
    pub const GPU_BARRIER: u32 = 0xC0DA00F1;
    pub const GPU_END: u32 = 0xC0DAFFFF;
}

/// Status codes by name.
pub mod status {
    /// done
    pub const OK: i32 = 0;
    /// an argument is out of its range or missing
    pub const INVALID_ARGUMENT: i32 = 100;
    /// the object is not in a state that allows this call
    pub const INVALID_STATE: i32 = 101;
    /// the host has no memory left for this
    pub const NO_MEMORY: i32 = 102;
    /// the program has no input or output of that name
    pub const NAME_NOT_FOUND: i32 = 103;
    /// the data type is not the one declared
    pub const TYPE_MISMATCH: i32 = 104;
    /// the shape is not the one declared
    pub const SHAPE_MISMATCH: i32 = 105;
    /// the pointer was not handed out by this allocator
    pub const FOREIGN_POINTER: i32 = 106;
    /// the memory was freed before
    pub const DOUBLE_FREE: i32 = 107;
    /// the block allocator has no free run of that length
    pub const BLOCKS_EXHAUSTED: i32 = 108;
    /// the assembly text cannot be understood
    pub const SYNTAX: i32 = 109;
    /// the command line cannot be understood
    pub const USAGE: i32 = 110;
    /// the target format cannot hold everything the program carries
    pub const WOULD_LOSE: i32 = 111;
    /// the content is none of the known program formats
    pub const BAD_MAGIC: i32 = 200;
    /// the format's version is not known
    pub const BAD_VERSION: i32 = 201;
    /// the content ends before what it announces
    pub const TRUNCATED: i32 = 202;
    /// bytes follow after the end of the content
    pub const TRAILING_BYTES: i32 = 203;
    /// a field holds a value it may not have
    pub const BAD_FIELD: i32 = 204;
    /// a line of the text form cannot be read
    pub const BAD_TEXT: i32 = 205;
    /// the content does not match the SHA-256 it carries
    pub const BAD_DIGEST: i32 = 206;
    /// the content is larger than the format or the limits allow
    pub const TOO_LARGE: i32 = 207;
    /// the shader is no SPIR-V module that can run here
    pub const BAD_SHADER: i32 = 208;
    /// no instruction has this opcode
    pub const UNKNOWN_OPCODE: i32 = 300;
    /// the instruction has a wrong number of operands
    pub const WRONG_OPERAND_COUNT: i32 = 301;
    /// a register lies outside the function's frame
    pub const REGISTER_RANGE: i32 = 302;
    /// a jump does not lead to an instruction of its own function
    pub const JUMP_TARGET: i32 = 303;
    /// a call does not lead to a function
    pub const CALL_TARGET: i32 = 304;
    /// control would run past the last instruction of a function
    pub const MISSING_END: i32 = 305;
    /// a buffer number is above the limit
    pub const BUFFER_RANGE: i32 = 306;
    /// a buffer is used that was never allocated
    pub const BUFFER_NOT_ALLOCATED: i32 = 307;
    /// a buffer is used after it was freed
    pub const BUFFER_FREED: i32 = 308;
    /// a buffer is freed twice
    pub const BUFFER_DOUBLE_FREE: i32 = 309;
    /// a buffer is allocated again without being freed
    pub const BUFFER_IN_USE: i32 = 310;
    /// an immediate operand holds a value it may not have
    pub const BAD_OPERAND: i32 = 311;
    /// a function header is malformed
    pub const BAD_FUNCTION: i32 = 312;
    /// a declared input, output, table or entry does not fit the program
    pub const BAD_DECLARATION: i32 = 313;
    /// the published six-operand FFN names no weights
    pub const FFN_WITHOUT_WEIGHTS: i32 = 314;
    /// the program imports a function that nothing provides
    pub const IMPORT_MISSING: i32 = 315;
    /// the program has no instructions
    pub const EMPTY_PROGRAM: i32 = 316;
    /// the name or the signature of an import cannot be understood
    pub const BAD_SIGNATURE: i32 = 317;
    /// the program executed a trap instruction
    pub const TRAP: i32 = 400;
    /// an integer was divided by zero
    pub const DIVISION_BY_ZERO: i32 = 401;
    /// an integer result does not fit
    pub const INTEGER_OVERFLOW: i32 = 402;
    /// a NaN was converted to an integer
    pub const BAD_CONVERSION: i32 = 403;
    /// an access lies outside the program's memory or buffer
    pub const OUT_OF_BOUNDS: i32 = 404;
    /// the limit on executed instructions was reached
    pub const OUT_OF_FUEL: i32 = 405;
    /// the program's memory limit was reached
    pub const OUT_OF_MEMORY: i32 = 406;
    /// the limit on call depth or registers was reached
    pub const STACK_OVERFLOW: i32 = 407;
    /// an indirect call found no function of the expected type
    pub const INDIRECT_CALL: i32 = 408;
    /// a buffer was used before its allocation or after its release
    pub const BUFFER_STATE: i32 = 409;
    /// a tensor operation was given sizes it cannot have
    pub const SHAPE_TRAP: i32 = 410;
    /// a tensor operation's result overlaps an operand it still reads
    pub const OVERLAP: i32 = 411;
    /// every task waits for another
    pub const DEADLOCK: i32 = 412;
    /// the limit on tasks, channels or messages was reached
    pub const TASK_LIMIT: i32 = 413;
    /// a task, channel or memory handle is not valid
    pub const BAD_HANDLE: i32 = 414;
    /// the output stream did not take the bytes
    pub const OUTPUT_REFUSED: i32 = 415;
    /// an input has neither a value nor a default
    pub const MISSING_INPUT: i32 = 416;
    /// a foreign function failed
    pub const FOREIGN_FAILED: i32 = 417;
    /// the run departs from the recorded one
    pub const REPLAY_MISMATCH: i32 = 418;
    /// no shader of that name was loaded
    pub const SHADER_MISSING: i32 = 419;
    /// the dispatch does not fit its shader
    pub const SHADER_MISMATCH: i32 = 420;
    /// the host stopped the run
    pub const STOPPED: i32 = 421;
    /// the two runs do not have the same results
    pub const RESULTS_DIFFER: i32 = 422;
    /// the backend is not there: no such hardware, driver or build
    pub const BACKEND_UNAVAILABLE: i32 = 500;
    /// the backend cannot do this operation
    pub const BACKEND_UNSUPPORTED: i32 = 501;
    /// the backend reported a failure
    pub const BACKEND_FAILED: i32 = 502;
    /// no backend has this name
    pub const BACKEND_UNKNOWN: i32 = 503;
    /// foreign calls are not to be had: no libffi, no such library or symbol
    pub const FOREIGN_UNAVAILABLE: i32 = 504;
    /// a file could not be read
    pub const CANNOT_READ: i32 = 600;
    /// a file could not be written
    pub const CANNOT_WRITE: i32 = 601;
}
