; matmul_4: c = a b for matrices of 4 x 4 f32, the small sibling of matmul_1024. matmul_4.hex is in the published text form
; (adead asm --format hex).
; format: hex
;
;   adead run hex/programs/matmul_4.hex --load 0x1000=a.bin --load 0x2000=b.bin --dump 0x3000:64=c.bin

.const  BYTES  4 * 4 * 4

.memory 256MiB                          ; what programs of this form have

        gpu.init
        gpu.alloc BYTES, b0
        gpu.alloc BYTES, b1
        gpu.alloc BYTES, b2
        gpu.copy_h2d 0x1000, b0, BYTES
        gpu.copy_h2d 0x2000, b1, BYTES
        gpu.matmul b0, b1, b2, 4, 4, 4
        gpu.sync
        gpu.copy_d2h b2, 0x3000, BYTES
        gpu.free b0
        gpu.free b1
        gpu.free b2
        gpu.end
