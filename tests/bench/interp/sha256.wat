;; sha256.wat: the SHA-256 of the n bytes at 1024, as hex/programs/sha256.asm has it; the digest is left at 0 as eight words.
;; Memory: 0 state, 32 initial state, 64 constants, 320 message schedule, 1024 the message, which is padded where it lies.
(module
  (memory (export "memory") 64)
  (data (i32.const 32)
    "\67\e6\09\6a\85\ae\67\bb\72\f3\6e\3c\3a\f5\4f\a5\7f\52\0e\51\8c\68\05\9b\ab\d9\83\1f\19\cd\e0\5b")
  (data (i32.const 64)
    "\98\2f\8a\42\91\44\37\71\cf\fb\c0\b5\a5\db\b5\e9\5b\c2\56\39\f1\11\f1\59\a4\82\3f\92\d5\5e\1c\ab"
    "\98\aa\07\d8\01\5b\83\12\be\85\31\24\c3\7d\0c\55\74\5d\be\72\fe\b1\de\80\a7\06\dc\9b\74\f1\9b\c1"
    "\c1\69\9b\e4\86\47\be\ef\c6\9d\c1\0f\cc\a1\0c\24\6f\2c\e9\2d\aa\84\74\4a\dc\a9\b0\5c\da\88\f9\76"
    "\52\51\3e\98\6d\c6\31\a8\c8\27\03\b0\c7\7f\59\bf\f3\0b\e0\c6\47\91\a7\d5\51\63\ca\06\67\29\29\14"
    "\85\0a\b7\27\38\21\1b\2e\fc\6d\2c\4d\13\0d\38\53\54\73\0a\65\bb\0a\6a\76\2e\c9\c2\81\85\2c\72\92"
    "\a1\e8\bf\a2\4b\66\1a\a8\70\8b\4b\c2\a3\51\6c\c7\19\e8\92\d1\24\06\99\d6\85\35\0e\f4\70\a0\6a\10"
    "\16\c1\a4\19\08\6c\37\1e\4c\77\48\27\b5\bc\b0\34\b3\0c\1c\39\4a\aa\d8\4e\4f\ca\9c\5b\f3\6f\2e\68"
    "\ee\82\8f\74\6f\63\a5\78\14\78\c8\84\08\02\c7\8c\fa\ff\be\90\eb\6c\50\a4\f7\a3\f9\be\f2\78\71\c6")

  (func $swap (param $x i32) (result i32)
    (i32.or
      (i32.and (i32.rotl (local.get $x) (i32.const 8)) (i32.const 0x00FF00FF))
      (i32.and (i32.rotr (local.get $x) (i32.const 8)) (i32.const 0xFF00FF00))))

  (func $hash_block (param $block i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $f i32) (local $g i32) (local $h i32)
    (local $at i32) (local $t1 i32) (local $t2 i32) (local $x i32)
    (loop $word
      (i32.store offset=320 (local.get $at) (call $swap (i32.load (i32.add (local.get $block) (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $word (i32.lt_s (local.get $at) (i32.const 64))))
    (loop $more
      (local.set $x (i32.load offset=312 (local.get $at)))
      (local.set $t1 (i32.xor (i32.xor
        (i32.rotr (local.get $x) (i32.const 17))
        (i32.rotr (local.get $x) (i32.const 19)))
        (i32.shr_u (local.get $x) (i32.const 10))))
      (local.set $x (i32.load offset=260 (local.get $at)))
      (local.set $t2 (i32.xor (i32.xor
        (i32.rotr (local.get $x) (i32.const 7))
        (i32.rotr (local.get $x) (i32.const 18)))
        (i32.shr_u (local.get $x) (i32.const 3))))
      (i32.store offset=320 (local.get $at)
        (i32.add (i32.add (i32.add (local.get $t1) (i32.load offset=292 (local.get $at))) (local.get $t2))
          (i32.load offset=256 (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $more (i32.lt_s (local.get $at) (i32.const 256))))
    (local.set $a (i32.load (i32.const 0)))
    (local.set $b (i32.load (i32.const 4)))
    (local.set $c (i32.load (i32.const 8)))
    (local.set $d (i32.load (i32.const 12)))
    (local.set $e (i32.load (i32.const 16)))
    (local.set $f (i32.load (i32.const 20)))
    (local.set $g (i32.load (i32.const 24)))
    (local.set $h (i32.load (i32.const 28)))
    (local.set $at (i32.const 0))
    (loop $round
      ;; t1 = h + S1(e) + choose(e, f, g) + constant[i] + schedule[i]
      (local.set $t1
        (i32.add (i32.add (i32.add (i32.add
          (i32.xor (i32.xor
            (i32.rotr (local.get $e) (i32.const 6))
            (i32.rotr (local.get $e) (i32.const 11)))
            (i32.rotr (local.get $e) (i32.const 25)))
          (local.get $h))
          (i32.xor (i32.and (i32.xor (local.get $f) (local.get $g)) (local.get $e)) (local.get $g)))
          (i32.load offset=64 (local.get $at)))
          (i32.load offset=320 (local.get $at))))
      ;; t2 = S0(a) + majority(a, b, c)
      (local.set $t2
        (i32.add
          (i32.xor (i32.xor
            (i32.rotr (local.get $a) (i32.const 2))
            (i32.rotr (local.get $a) (i32.const 13)))
            (i32.rotr (local.get $a) (i32.const 22)))
          (i32.or
            (i32.and (i32.or (local.get $a) (local.get $b)) (local.get $c))
            (i32.and (local.get $a) (local.get $b)))))
      (local.set $h (local.get $g))
      (local.set $g (local.get $f))
      (local.set $f (local.get $e))
      (local.set $e (i32.add (local.get $d) (local.get $t1)))
      (local.set $d (local.get $c))
      (local.set $c (local.get $b))
      (local.set $b (local.get $a))
      (local.set $a (i32.add (local.get $t1) (local.get $t2)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $round (i32.lt_s (local.get $at) (i32.const 256))))
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get $a)))
    (i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (local.get $b)))
    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get $c)))
    (i32.store (i32.const 12) (i32.add (i32.load (i32.const 12)) (local.get $d)))
    (i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (local.get $e)))
    (i32.store (i32.const 20) (i32.add (i32.load (i32.const 20)) (local.get $f)))
    (i32.store (i32.const 24) (i32.add (i32.load (i32.const 24)) (local.get $g)))
    (i32.store (i32.const 28) (i32.add (i32.load (i32.const 28)) (local.get $h))))

  (func (export "run") (param $n i32)
    (local $at i32) (local $end i32)
    (loop $reset
      (i32.store (local.get $at) (i32.load offset=32 (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $reset (i32.lt_s (local.get $at) (i32.const 32))))
    ;; a byte 0x80, zeros up to 8 bytes before the end of a block, the length in bits as a big-endian number
    (local.set $at (i32.add (local.get $n) (i32.const 1024)))
    (local.set $end (i32.add (i32.and (i32.add (local.get $n) (i32.const 72)) (i32.const -64)) (i32.const 1024)))
    (i32.store8 (local.get $at) (i32.const 0x80))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (block $padded
      (loop $pad
        (br_if $padded (i32.ge_u (local.get $at) (local.get $end)))
        (i32.store8 (local.get $at) (i32.const 0))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $pad)))
    (i32.store (i32.sub (local.get $end) (i32.const 4)) (call $swap (i32.shl (local.get $n) (i32.const 3))))
    (local.set $at (i32.const 1024))
    (loop $block
      (call $hash_block (local.get $at))
      (local.set $at (i32.add (local.get $at) (i32.const 64)))
      (br_if $block (i32.lt_u (local.get $at) (local.get $end))))))
