;; affine.wat: x = x * a + b, n times, in f64 with a counter in i32. The twin of affine.asm.
(module
  (func (export "run") (param $n i32) (result f64)
    (local $x f64) (local $i i32)
    (loop $step
      (local.set $x (f64.add (f64.mul (local.get $x) (f64.const 0.999999)) (f64.const 0.5)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $step (i32.lt_s (local.get $i) (local.get $n))))
    (local.get $x)))
