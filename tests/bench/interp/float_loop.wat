;; float_loop.wat: x = x * 0.5 + i for i = 1 .. n with a counter in f64, as hex/programs/float_loop.asm has it.
(module
  (func (export "run") (param $n f64) (result f64)
    (local $x f64) (local $i f64)
    (local.set $i (f64.const 1))
    (loop $step
      (local.set $x (f64.add (f64.mul (local.get $x) (f64.const 0.5)) (local.get $i)))
      (local.set $i (f64.add (local.get $i) (f64.const 1)))
      (br_if $step (f64.le (local.get $i) (local.get $n))))
    (local.get $x)))
