; matmul_1024: c = a b for matrices of 1024 x 1024 f32: the one published program of the AGPU family, instruction for
; instruction. matmul_1024.hex is its published text form (adead asm --format hex), which has no named inputs; the
; addresses are those of linear memory.
; format: hex
;
;   adead run hex/programs/matmul_1024.hex --load 0x1000=a.bin --dump 0x3000:0x400000=c.bin
;
; The two sources overlap as published: a is 4 MiB from 0x1000, b is 4 MiB from 0x2000, so b is a without its first row and
; with one more at the end. c replaces 4 MiB from 0x3000.

.const  BYTES  1024 * 1024 * 4

.memory 256MiB                          ; what programs of this form have

        gpu.init
        gpu.alloc BYTES, b0
        gpu.alloc BYTES, b1
        gpu.alloc BYTES, b2
        gpu.copy_h2d 0x1000, b0, BYTES
        gpu.copy_h2d 0x2000, b1, BYTES
        gpu.matmul b0, b1, b2, 1024, 1024, 1024
        gpu.sync
        gpu.copy_d2h b2, 0x3000, BYTES
        gpu.free b0
        gpu.free b1
        gpu.free b2
        gpu.end
