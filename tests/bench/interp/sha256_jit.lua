-- sha256_jit.lua: sha256.lua for LuaJIT, whose integers are the 32 bits of its bit library.
local bit = require "bit"
local band, bor, bxor, ror, rshift, tobit = bit.band, bit.bor, bit.bxor, bit.ror, bit.rshift, bit.tobit
local constants = {
  0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
  0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
  0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
  0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
  0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
  0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
  0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
  0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
}

local w = {}
local function hash_block(message, at, state)
  for i = 1, 16 do
    local p, q, r, s = message:byte(at + 4 * i - 4, at + 4 * i - 1)
    w[i] = tobit(p * 0x1000000 + q * 0x10000 + r * 0x100 + s)
  end
  for i = 17, 64 do
    local x, y = w[i - 2], w[i - 15]
    w[i] = tobit(bxor(ror(x, 17), ror(x, 19), rshift(x, 10)) + w[i - 7]
      + bxor(ror(y, 7), ror(y, 18), rshift(y, 3)) + w[i - 16])
  end
  local a, b, c, d, e, f, g, h = unpack(state)
  for i = 1, 64 do
    local t1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25)) + h + bxor(band(bxor(f, g), e), g) + constants[i] + w[i]
    local t2 = bxor(ror(a, 2), ror(a, 13), ror(a, 22)) + bor(band(bor(a, b), c), band(a, b))
    h, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + t2)
  end
  for i, v in ipairs { a, b, c, d, e, f, g, h } do state[i] = tobit(state[i] + v) end
end

return function(message)
  local state = {
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19
  }
  local bits = #message * 8
  message = message .. "\128" .. ("\0"):rep(-(#message + 9) % 64) .. ("\0"):rep(4)
    .. string.char(band(rshift(bits, 24), 255), band(rshift(bits, 16), 255), band(rshift(bits, 8), 255), band(bits, 255))
  for at = 1, #message, 64 do hash_block(message, at, state) end
  for i = 1, 8 do state[i] = bit.tohex(state[i]) end
  return table.concat(state)
end
