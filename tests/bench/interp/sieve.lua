-- sieve.lua: counts the primes below n, as hex/programs/sieve.asm has it.
return function(n)
  local composite, count = {}, 0
  for i = 1, n do composite[i] = false end
  for prime = 2, n - 1 do
    if not composite[prime] then
      count = count + 1
      for at = prime * prime, n - 1, prime do composite[at] = true end
    end
  end
  return count
end
