/* Stopping, saving and resuming runs by the command: a part of test_cli.c, whose helpers it uses. */
static void snapshots(void)
{
    write_text("spelling.asm",
               ".memory 4KiB\n.output n i64[] at 0\nmain: .func regs=4\n  i64.const r3, text\n  i64.const r2, 2\n"
               "l: write r3, r2\n  i64.add_imm r3, r3, 2\n  i64.add_imm r1, r1, 1\n  jump.i64.lt_s_imm r1, 3, l\n"
               "  i64.const r2, 0\n  store64 r1, r2, 0\n  halt\n.data 0x100\ntext: .ascii \"abcdef\"\n");
    write_text("endless.asm", "l: i64.add_imm r0, r0, 1\n  jump l\n");
    WORKS("$A asm spelling.asm -o spelling.hex && $A asm endless.asm -o endless.hex");
    WORKS("$A run spelling.hex --stop-at 5 --save part.snapshot");
    CHECK_STR(OUT, "ab");
    SAYS("stopped at 5, before 0x");
    WORKS("$A resume part.snapshot --backend ref --digest && $A run spelling.hex --digest");
    CHECK(strncmp(OUT, "cdef", 4) == 0 && strncmp(OUT + 4 + 68, "abcdef", 6) == 0 && memcmp(OUT + 4, OUT + 78, 64) == 0,
          "%s", OUT);
    WORKS("$A resume part.snapshot --stop-at 9 --save later.snapshot && $A resume later.snapshot --out n=n.npy");
    CHECK_STR(OUT, "cdef");
    WORKS("$A resume - <part.snapshot --json --stop-at 9 --save again.snapshot && cmp again.snapshot later.snapshot");
    SHOWS("\"command\":\"resume\"");
    SHOWS("\"stopped\":{\"position\":9,\"task\":0,\"offset\":");
    WORKS("$A info part.snapshot");
    SHOWS("stopped   at 5, in round 1, task 0 before 0x");
    SHOWS("stream    2 bytes so far");
    SHOWS("output    n i64[]");
    WORKS("$A info part.snapshot --json");
    SHOWS("\"snapshot\":{\"position\":5,");
    SHOWS("\"outputs\":[{\"name\":\"n\"");
    WORKS("$A run spelling.hex --stop-at 1000 --save none.snapshot");
    SAYS("the run ended before it was stopped; nothing was saved");
    CHECK_EQ(sh("test -e none.snapshot"), 1);
    WORKS("{ $A run endless.hex --save interrupted.snapshot & sleep 1; kill -INT $!; wait $!; }");
    SAYS("stopped at ");
    FAILS(1, "OUT_OF_FUEL", "$A run endless.hex --fuel 100 --save none.snapshot");
    FAILS(3, "TOO_LARGE", "$A resume part.snapshot --memory 1MiB");
    FAILS(3, "TRUNCATED", "head -c 40 part.snapshot | $A resume -");
    FAILS(3, "BAD_DIGEST", "head -c 400 part.snapshot | $A info -");
    FAILS(3, "BAD_MAGIC", "$A resume spelling.hex");
    FAILS(5, "CANNOT_READ", "$A resume no-such.snapshot");
    FAILS(2, "USAGE", "$A run spelling.hex --stop-at 5");
    FAILS(2, "USAGE", "$A run spelling.hex --stop-at x --save part.snapshot");
    FAILS(2, "USAGE", "$A resume part.snapshot --in n=n.npy");
    FAILS(2, "USAGE", "$A run spelling.hex --save part.snapshot --profile");
}
