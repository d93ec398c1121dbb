;; sieve.wat: counts the primes below n, a byte each, as hex/programs/sieve.asm has it.
(module
  (memory (export "memory") 1)
  (func (export "run") (param $n i32) (result i32)
    (local $prime i32) (local $at i32) (local $count i32) (local $pages i32)
    ;; room for n bytes, zeroed
    (local.set $pages (i32.add (i32.shr_u (local.get $n) (i32.const 16)) (i32.const 1)))
    (if (i32.lt_u (memory.size) (local.get $pages))
      (then (drop (memory.grow (i32.sub (local.get $pages) (memory.size))))))
    (local.set $at (i32.const 0))
    (loop $clear
      (i64.store (local.get $at) (i64.const 0))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $clear (i32.lt_u (local.get $at) (local.get $n))))
    (local.set $prime (i32.const 2))
    (loop $next
      (block $after
        (br_if $after (i32.load8_u (local.get $prime)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $after (i64.ge_s
          (i64.mul (i64.extend_i32_u (local.get $prime)) (i64.extend_i32_u (local.get $prime)))
          (i64.extend_i32_u (local.get $n))))
        (local.set $at (i32.mul (local.get $prime) (local.get $prime)))
        (loop $mark
          (i32.store8 (local.get $at) (i32.const 1))
          (local.set $at (i32.add (local.get $at) (local.get $prime)))
          (br_if $mark (i32.lt_u (local.get $at) (local.get $n)))))
      (local.set $prime (i32.add (local.get $prime) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $prime) (local.get $n))))
    (local.get $count)))
