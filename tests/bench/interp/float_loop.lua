-- float_loop.lua: x = x * 0.5 + i for i = 1 .. n with a floating-point counter, as hex/programs/float_loop.asm has it.
return function(n)
  local x = 0.0
  for i = 1.0, n do x = x * 0.5 + i end
  return x
end
