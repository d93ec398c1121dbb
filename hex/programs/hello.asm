; hello: writes a line.
;
;   adead run hex/programs/hello.hex

        i64.const r0, greeting
        i64.const r1, LENGTH
        write     r0, r1                ; LENGTH bytes from address r0
        halt

.const  LENGTH  14
.data   0x100
greeting: .ascii "Hello, world!\n"
