; pipeline: tasks and channels. Two producers send numbers, the main task deals them out to three workers, who square them,
; and a collector adds up.
;
;   producer A --\               /--> worker 1 --\
;                 numbers --> main --> worker 2 --> results --> collector
;   producer B --/               \--> worker 3 --/
;
;   adead run hex/programs/pipeline.hex
;
; output  total  i64[]   1^2 + 2^2 + ... + 12^2 = 650
; stream  who did what, in which order
;
; Tasks are cooperative and take turns in order of their numbers, and what is sent in one round is seen in the next: the
; order of the lines is part of the program's result, on every machine. Tasks share nothing: each has its own memory
; (which starts as the program's data), buffers and globals. What they know of each other comes as arguments and through
; channels. Any task may send to a channel; only one, the first that does, may receive from it.

.const  PRODUCERS 2
.const  WORKERS   3
.const  EACH      6                     ; numbers a producer sends
.const  NUMBERS   PRODUCERS * EACH
.const  LETTER_AT 9                     ; where text_sends has the producer's letter

.output total i64[] at total_at
.entry  main

main:   .func regs=24
        .reg numbers   r0               ; channels
        .reg results   r1
        .reg job       r2
        .reg i         r3
        .reg at        r4               ; 8 * i
        .reg task      r5
        .reg collector r6
        .reg value     r7
        .reg zero      r8
        .reg next      r9               ; 8 * the worker whose turn it is
        ; the window of arguments
        .reg a0        r16
        .reg a1        r17
        .reg a2        r18
        channel numbers
        channel results
        move a0, results
        spawn collector, collect, r16

.hire:  channel job
        store64 job, at, jobs
        i64.add_imm a0, i, 1
        move a1, job
        move a2, results
        spawn task, work, r16
        store64 task, at, workers
        i64.add_imm at, at, 8
        i64.add_imm i, i, 1
        jump.i64.lt_s_imm i, WORKERS, .hire

        i64.const i, 0
.start: i64.add_imm a0, i, 'A'
        move a1, numbers
        i64.mul_imm a2, i, EACH
        i64.add_imm a2, a2, 1
        spawn task, produce, r16
        i64.add_imm i, i, 1
        jump.i64.lt_s_imm i, PRODUCERS, .start

        i64.const i, 0
.deal:  receive value, numbers
        load64 job, next, jobs
        send job, value
        i64.add_imm next, next, 8
        jump.i64.lt_s_imm next, WORKERS * 8, .dealt
        i64.const next, 0
.dealt: i64.add_imm i, i, 1
        jump.i64.lt_s_imm i, NUMBERS, .deal

        ; a 0 sends a worker home; join gives how many numbers it squared
        i64.const at, 0
.stop:  load64 job, at, jobs
        send job, zero
        i64.add_imm at, at, 8
        jump.i64.lt_s_imm at, WORKERS * 8, .stop
        i64.const at, 0
        i64.const i, 0
.home:  load64 task, at, workers
        join a2, task
        i64.const a0, text_done
        i64.add_imm i, i, 1
        move a1, i
        call print_line, r16
        i64.add_imm at, at, 8
        jump.i64.lt_s_imm i, WORKERS, .home

        join a2, collector
        store64 a2, zero, total_at
        i64.const a0, text_total
        i64.const a1, NUMBERS
        call print_line, r16
        halt

; produce(letter, numbers, first): sends EACH numbers from `first` on, one a turn.
produce: .func params=3 regs=10
        .reg letter  r0
        .reg numbers r1
        .reg number  r2
        .reg last    r3
        .reg zero    r4
        .reg a0      r6
        .reg a1      r7
        .reg a2      r8
        store8 letter, zero, text_sends + LETTER_AT
        i64.add_imm last, number, EACH
.next:  i64.const a0, text_sends
        move a1, number
        call print_line, r6
        send numbers, number
        yield
        i64.add_imm number, number, 1
        jump.i64.lt_s number, last, .next
        return

; work(number, jobs, results) -> how many: squares what comes until a 0 comes.
work:   .func params=3 results=1 regs=12
        .reg me      r0
        .reg jobs    r1
        .reg results r2
        .reg count   r3
        .reg job     r4
        .reg a0      r6
        .reg a1      r7
        .reg a2      r8
.next:  receive job, jobs
        jump.i64.eq_imm job, 0, .home
        i64.mul job, job, job
        i64.const a0, text_squared
        move a1, me
        move a2, job
        call print_line, r6
        send results, job
        i64.add_imm count, count, 1
        jump .next
.home:  move r0, count
        return

; collect(results) -> the sum of NUMBERS results.
collect: .func params=1 results=1 regs=4
        .reg results r0
        .reg value   r1
        .reg total   r2
        .reg count   r3
.next:  receive value, results
        i64.add total, total, value
        i64.add_imm count, count, 1
        jump.i64.lt_s_imm count, NUMBERS, .next
        move r0, total
        return

; print_line(text, first, second): writes a zero-terminated text, in which each `#` stands for the next of the two numbers. A
; line is put together in `line` and written at once, so that no other task's comes in between.
print_line: .func params=3 regs=12
        .reg text   r0
        .reg number r1
        .reg second r2
        .reg char   r3
        .reg start  r4
        .reg size   r5
        .reg out    r8                  ; the window of put_u64
        .reg value  r9
        i64.const out, line
.char:  load8_u char, text, 0
        i64.add_imm text, text, 1
        jump.i64.eq_imm char, 0, .write
        jump.i64.eq_imm char, '#', .number
        store8 char, out, 0
        i64.add_imm out, out, 1
        jump .char
.number: move value, number
        call put_u64, r8
        move number, second
        jump .char
.write: i64.const start, line
        i64.sub size, out, start
        write start, size
        return

; put_u64(out, value) -> out behind: the value in decimal. The digits come last one first, so they are laid down
; backwards in `number` and copied.
put_u64: .func params=2 results=1 regs=7
        .reg out   r0
        .reg value r1
        .reg at    r2
        .reg digit r3
        .reg ten   r4
        .reg size  r5
        i64.const at, number_end
        i64.const ten, 10
.digit: i64.rem_u digit, value, ten
        i64.div_u value, value, ten
        i64.add_imm digit, digit, '0'
        i64.add_imm at, at, -1
        store8 digit, at, 0
        jump.i64.ne_imm value, 0, .digit
        i64.const size, number_end
        i64.sub size, size, at
        memory.copy out, at, size
        i64.add out, out, size
        return

.data   0x100
total_at:     .zero 8
jobs:         .zero WORKERS * 8         ; main's: each worker's channel
workers:      .zero WORKERS * 8         ; and task
text_sends:   .asciz "producer ? sends #\n"
text_squared: .asciz "  worker # gives #\n"
text_done:    .asciz "worker # squared # numbers\n"
text_total:   .asciz "sum of # squares: #\n"
line:         .zero 64
number:       .zero 20
number_end:
