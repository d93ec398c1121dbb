-- affine.lua: x = x * a + b, n times. The twin of affine.asm.
return function(n)
  local x, a, b = 0.0, 0.999999, 0.5
  for _ = 1, n do x = x * a + b end
  return x
end
