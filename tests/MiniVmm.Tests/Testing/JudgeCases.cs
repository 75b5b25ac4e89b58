using MiniVmm.Execution;
using MiniVmm.Testing;

namespace MiniVmm.Tests.Testing;

/// <summary>A guest's output and end, and what is to be made of them.</summary>
/// <param name="Verdict">The right verdict.</param>
/// <param name="Text">What the guest prints.</param>
/// <param name="End">How its machine ends.</param>
/// <param name="Keys">What is said of the test, as beside an image.</param>
internal sealed record JudgeCase(Verdict Verdict, string Text, TestEnd End, string Keys = "")
{
    public override string ToString() => $"{Verdict}: {Text.ReplaceLineEndings(" | ")} [{End.Reason.Kind} {End.Reason.Value}] {Keys.ReplaceLineEndings(" | ")}";
}

/// <summary>What kernels and their tests print and how they end, each with the right verdict.</summary>
internal static class JudgeCases
{
    private static readonly TestEnd Off = new(new(StopKind.PowerOff));
    private static readonly TestEnd Reset = new(new(StopKind.Reset));
    private static readonly TestEnd Crash = new(new(StopKind.Crash), Crash: "vCPU 0: triple fault");
    private static readonly TestEnd Time = new(new(StopKind.Timeout));
    private static readonly TestEnd Cut = new(new(StopKind.Interrupted));
    private static readonly TestEnd Reached = new(new(StopKind.Interrupted), ByText: true);
    private static readonly TestEnd NoRam = new(new(StopKind.RamUnavailable));
    private static readonly TestEnd Closed = new(new(StopKind.OutputClosed, 32));

    public static IReadOnlyList<JudgeCase> All { get; } =
    [
        // Power-off and text.
        new(Verdict.Pass, "hello\n", Off),
        new(Verdict.Pass, "hello", Off),
        new(Verdict.Pass, "hello\nhello: ok\n", Off, "expect: hello: ok"),
        new(Verdict.Pass, "hello: ok", Off, "expect: hello: ok"),
        new(Verdict.Pass, "[   12.345678] hello: ok\n", Off, "expect: hello: ok"),
        new(Verdict.Pass, "one two three", Off, "expect: one\nexpect: three"),
        new(Verdict.Pass, "one\ntwo\nthree\n", Off, "expect: one\nexpect: two\nexpect: three"),
        new(Verdict.Pass, "aa", Off, "expect: a\nexpect: a"),
        new(Verdict.Fail, "a", Off, "expect: a\nexpect: a"),
        new(Verdict.Fail, "three\ntwo\none\n", Off, "expect: one\nexpect: two"),
        new(Verdict.Fail, "starting\n", Off, "expect: all is well"),
        new(Verdict.Fail, "all is\nwell\n", Off, "expect: all is well"),
        new(Verdict.Fail, "ALL IS WELL\n", Off, "expect: all is well"),
        new(Verdict.Fail, "all  is well\n", Off, "expect: all is well"),
        new(Verdict.Pass, "schön ✓\n", Off, "expect: schön ✓"),
        new(Verdict.Pass, "50% done 0x10\n", Off),
        new(Verdict.Pass, "kernel: errors are reported here\n", Off),

        // Nothing printed proves nothing.
        new(Verdict.Empty, "", Off),
        new(Verdict.Empty, "\n\n", Off),
        new(Verdict.Empty, "  \t \r\n", Off),
        new(Verdict.Empty, "\u001b[2J\u001b[H", Off),
        new(Verdict.Empty, "\0\0\0\a", Off),
        new(Verdict.Empty, "", Off, "expect: ok"),
        new(Verdict.Empty, "", Exit(0)),
        new(Verdict.Empty, "", Reset),
        new(Verdict.Pass, "", Off, "exit: 0"),
        new(Verdict.Pass, "", Exit(0x10), "exit: 33"),
        new(Verdict.Timeout, "", Time),
        new(Verdict.Crash, "", Crash),

        // Exit statuses.
        new(Verdict.Pass, "done\n", Exit(0)),
        new(Verdict.Fail, "done\n", Exit(1)),
        new(Verdict.Fail, "done\n", Exit(2)),
        new(Verdict.Fail, "done\n", Exit(127)),
        new(Verdict.Fail, "done\n", Exit(0x10)),
        new(Verdict.Fail, "done\n", Exit(0x11)),
        new(Verdict.Pass, "done\n", Exit(0x10), "exit: 33"),
        new(Verdict.Fail, "done\n", Exit(0x11), "exit: 33"),
        new(Verdict.Fail, "done\n", Exit(0), "exit: 33"),
        new(Verdict.Fail, "done\n", Off, "exit: 33"),
        new(Verdict.Fail, "done\n", Off, "exit: 1"),
        new(Verdict.Fail, "done\n", Exit(0), "exit: 0"),
        new(Verdict.Pass, "done\n", Exit(21), "exit: 43"),
        new(Verdict.Pass, "done\n", Exit(0x80 + 21), "exit: 43"), // the host keeps 8 bits
        new(Verdict.Fail, "no\n", Exit(0x10), "exit: 33\nexpect: yes"),
        new(Verdict.Pass, "yes\n", Exit(0x10), "exit: 33\nexpect: yes"),
        new(Verdict.Fail, "yes\nFAILED\n", Exit(0x10), "exit: 33\nexpect: yes"),

        // Reboots.
        new(Verdict.Fail, "booting\n", Reset),
        new(Verdict.Pass, "all is well\n", Reset, "expect: all is well"),
        new(Verdict.Fail, "booting\n", Reset, "expect: all is well"),
        new(Verdict.Pass, "booting\n", Reset, "exit: 0"),
        new(Verdict.Panic, "panic: no init\n", Reset, "expect: panic"),

        // Crashes.
        new(Verdict.Crash, "about to die\n", Crash),
        new(Verdict.Crash, "hello: ok\n", Crash, "expect: hello: ok"),
        new(Verdict.Crash, "hello: ok\n", Crash, "exit: 0"),
        new(Verdict.Pass, "about to die\n", Crash, "exit: 6"),
        new(Verdict.Pass, "", Crash, "exit: 6"),
        new(Verdict.Fail, "survived\n", Off, "exit: 6"),
        new(Verdict.Fail, "x\n", Crash, "exit: 6\nexpect: about to die"),
        new(Verdict.Panic, "KERNEL PANIC: double fault\n", Crash),
        new(Verdict.Crash, "check 1 FAILED\n", Crash),

        // Hangs.
        new(Verdict.Timeout, "waiting\n", Time),
        new(Verdict.Timeout, "hello: ok\n", Time, "expect: hello: ok"),
        new(Verdict.Timeout, "hello", Time, "expect: hello: ok"),
        new(Verdict.Timeout, "check 2: FAILED\n", Time),
        new(Verdict.Timeout, "1..2\nok 1\n", Time),
        new(Verdict.Panic, "Kernel panic - not syncing: VFS\n", Time),
        new(Verdict.Pass, "idle\n", Time, "exit: 124"),
        new(Verdict.Fail, "idle\n", Off, "exit: 124"),

        // Run to a text.
        new(Verdict.Pass, "booted\nlogin: ", Reached, "until: login:"),
        new(Verdict.Pass, "login: ", Reached, "until: login:\nexpect: login"),
        new(Verdict.Fail, "login: ", Reached, "until: login:\nexpect: booted"),
        new(Verdict.Fail, "booted\n", Off, "until: login:"),
        new(Verdict.Empty, "", Off, "until: login:"),
        new(Verdict.Timeout, "booted\n", Time, "until: login:"),
        new(Verdict.Crash, "booted\n", Crash, "until: login:"),
        new(Verdict.Panic, "Oops: 0000 [#1]\nlogin: ", Reached, "until: login:"),
        new(Verdict.Fail, "[FAILED] Failed to start foo\nlogin: ", Reached, "until: login:"),
        new(Verdict.Pass, "panic: as wanted", Reached, "until: panic: as wanted"),

        // Linux.
        new(Verdict.Panic, "[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs\n", Off),
        new(Verdict.Panic, "[    1.2] ---[ end Kernel panic - not syncing: x ]---\n", Time),
        new(Verdict.Panic, "<0>[    1.234567] Kernel panic - not syncing: x\n", Reset),
        new(Verdict.Panic, "[    1.234567] BUG: unable to handle page fault for address: ffff\n", Off),
        new(Verdict.Panic, "[    1.234567] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!\n", Off),
        new(Verdict.Panic, "[    1.234567] kernel BUG at mm/slub.c:123!\n", Off),
        new(Verdict.Panic, "[    1.234567] Oops: 0002 [#1] PREEMPT SMP\n", Off),
        new(Verdict.Panic, "[    1.234567] general protection fault, probably for non-canonical address\n", Off),
        new(Verdict.Panic, "[    1.234567] general protection fault: 0000 [#1]\n", Off),
        new(Verdict.Panic, "[    1.234567] Unable to handle kernel NULL pointer dereference\n", Off),
        new(Verdict.Panic, "[    1.234567] BUG: KASAN: use-after-free in f+0x1/0x2\n", Off, "expect: use-after-free"),
        new(Verdict.Pass, "[    0.0] Command line: console=ttyS0 panic=-1 panic_on_warn\n[    2.0] done\n", Off),
        new(Verdict.Pass, "[    0.0] x86/fpu: installing general protection fault handler\n", Off),
        new(Verdict.Pass, "[    0.0] ata1: SRST failed (errno=-16)\n[    1.0] up\n", Off),
        new(Verdict.Pass, "[    0.0] pci 0000:00:01.0: BAR 2: failed to assign [io  size 0x20]\n", Off),
        new(Verdict.Pass, "[    0.0] DEBUG: all quiet\n", Off),

        // Kernels in Rust.
        new(Verdict.Panic, "panicked at src/main.rs:12:5:\nassertion failed\n", Off),
        new(Verdict.Panic, "test trivial_assertion...\t[failed]\n\nError: panicked at 'x', src/main.rs:3\n", Exit(0x11), "exit: 33"),
        new(Verdict.Fail, "test trivial_assertion...\t[failed]\n", Exit(0x10), "exit: 33"),
        new(Verdict.Pass, "Running 2 tests\na...\t[ok]\nb...\t[ok]\n", Exit(0x10), "exit: 33"),
        new(Verdict.Panic, "kernel has panicked: index out of bounds\n", Time),
        new(Verdict.Pass, "EXCEPTION: BREAKPOINT\n[ok]\n", Exit(0x10), "exit: 33"),
        new(Verdict.Fail, "test result: FAILED. 3 passed; 1 failed; 0 ignored\n", Off),
        new(Verdict.Pass, "test result: ok. 4 passed; 0 failed; 0 ignored\n", Off),

        // Kernels in C.
        new(Verdict.Panic, "panic: ide: no such drive\n", Off),
        new(Verdict.Panic, "cpu0: panic: sched locks\n", Time),
        new(Verdict.Panic, "*** PANIC ***\n", Off),
        new(Verdict.Panic, "[PANIC] out of memory\n", Off),
        new(Verdict.Panic, "KERNEL PANIC! :^(\n", Off),
        new(Verdict.Panic, "kernel panic at 0xc0100000\n", Off),
        new(Verdict.Panic, ">>> ZEPHYR FATAL ERROR 0: CPU exception on CPU 0\n", Time),
        new(Verdict.Panic, "Fatal error: no memory map\n", Off),
        new(Verdict.Panic, "Unhandled exception 13 #GP at ip 0000000000400b2c\n", Exit(127)),
        new(Verdict.Panic, "unhandled page fault at 0xdeadbeef\n", Off),
        new(Verdict.Panic, "*** stack smashing detected ***\n", Off),
        new(Verdict.Fail, "Assertion failed: x > 0, file a.c, line 3\n", Off),
        new(Verdict.Fail, "ASSERTION `x > 0' failed at a.c:3\n", Off),
        new(Verdict.Fail, "assert failed: a.c:3\n", Off),
        new(Verdict.Pass, "static assertions: on\n", Off),
        new(Verdict.Pass, "panic handler installed\n", Off),
        new(Verdict.Pass, "don't panic\n", Off),
        new(Verdict.Pass, "CONFIG_PANIC_TIMEOUT=0\n", Off),
        new(Verdict.Fail, "hello: FAILED: not every processor started\n", Off, "expect: hello"),
        new(Verdict.Fail, "PROJECT EXECUTION FAILED\n", Off),
        new(Verdict.Pass, "PROJECT EXECUTION SUCCESSFUL\n", Off),
        new(Verdict.Fail, "usertests: some tests failed\n", Off),
        new(Verdict.Pass, "usertests: no tests failed\n", Off),
        new(Verdict.Pass, "ALL TESTS PASSED\n", Off),
        new(Verdict.Fail, "Test failed!\n", Off),
        new(Verdict.Pass, "0 tests failed\n", Off),
        new(Verdict.Fail, "3 tests failed\n", Off),
        new(Verdict.Fail, "FAILURE\n", Off),
        new(Verdict.Fail, "[FAIL] heap\n[PASS] stack\n", Off),
        new(Verdict.Fail, "heap ... [ FAIL ]\n", Off),
        new(Verdict.Pass, "XFAIL: known\n[PASS] rest\n", Off),
        new(Verdict.Pass, "FAILSAFE mode, FAIL_FAST off\n", Off),

        // Sums.
        new(Verdict.Fail, "12 passed, 1 failed\n", Off),
        new(Verdict.Pass, "12 passed, 0 failed\n", Off),
        new(Verdict.Fail, "Tests: 12, failures: 2\n", Off),
        new(Verdict.Pass, "Tests: 12, failures: 0\n", Off),
        new(Verdict.Fail, "PASSED: 3 FAILED: 1\n", Off),
        new(Verdict.Pass, "PASSED: 3 FAILED: 0\n", Off),
        new(Verdict.Pass, "PASS=3 FAIL=0 SKIP=0\n", Off),
        new(Verdict.Fail, "PASS=3 FAIL=2\n", Off),
        new(Verdict.Fail, "SUMMARY: 2/8 FAIL\n", Off),
        new(Verdict.Pass, "SUMMARY: 8 PASS, 0 FAIL\n", Off),
        new(Verdict.Fail, "FAIL: 0 is not 1\n", Off),
        new(Verdict.Fail, "FAIL: 0, expected 1\n", Off),
        new(Verdict.Fail, "FAIL: 0.25, wanted 0.5\n", Off),
        new(Verdict.Fail, "FAILED: 0.3 s too late\n", Off),
        new(Verdict.Pass, "FAILED: 0, PASSED: 3\n", Off),
        new(Verdict.Pass, "PASSED: 3, FAILED: 0.\n", Off),
        new(Verdict.Fail, "test 0 FAILED\n", Off),
        new(Verdict.Fail, "Test #0 FAILED\n", Off),
        new(Verdict.Fail, "subtest 0: FAIL\n", Off),
        new(Verdict.Pass, "3 tests, 0 FAILED\n", Off),
        new(Verdict.Fail, "10 FAILED\n", Off),
        new(Verdict.Pass, "3 of 3 checks passed, none failed\n", Off),

        // kvm-unit-tests.
        new(Verdict.Pass, "PASS: a\nPASS: b\nSUMMARY: 2 tests\n", Exit(0)),
        new(Verdict.Fail, "PASS: a\nFAIL: b\nSUMMARY: 2 tests, 1 unexpected failures\n", Exit(1)),
        new(Verdict.Fail, "PASS: a\nFAIL: b\nSUMMARY: 2 tests, 1 unexpected failures\n", Off),
        new(Verdict.Fail, "SUMMARY: 2 tests, 1 unexpected failures\n", Exit(0)),
        new(Verdict.Pass, "PASS: a\nXFAIL: b\nSUMMARY: 2 tests, 1 expected failures\n", Exit(0)),
        new(Verdict.Pass, "PASS: VMLAUNCH with FAIL in its name\nSUMMARY: 1 tests\n", Exit(0)),
        new(Verdict.Pass, "PASS: a\nSKIP: b\nSUMMARY: 2 tests, 1 skipped\n", Exit(0)),
        new(Verdict.SkippedItself, "SKIP: a\nSUMMARY: 1 tests, 1 skipped\n", Exit(77)),
        new(Verdict.SkippedItself, "SUMMARY: 1 tests, 1 skipped\n", Exit(0)),

        // Skips.
        new(Verdict.SkippedItself, "SKIP: no floppy drive\n", Exit(77)),
        new(Verdict.SkippedItself, "no floppy drive\n", Exit(77)),
        new(Verdict.SkippedItself, "SKIP: no floppy drive\n", Off),
        new(Verdict.SkippedItself, "[SKIPPED] no floppy drive\n", Off),
        new(Verdict.Skip, "SKIP: no floppy drive\n", Exit(77), "may-skip: on"),
        new(Verdict.Skip, "SKIP: no floppy drive\n", Off, "may-skip: on"),
        new(Verdict.SkippedItself, "SKIP: no floppy drive\n", Off, "expect: all is well"),
        new(Verdict.Pass, "SKIP: no floppy drive\nall is well\n", Off, "expect: all is well"),
        new(Verdict.Pass, "SKIP: floppy\nPASS: disk\n", Off),
        new(Verdict.Fail, "SKIP: floppy\nFAIL: disk\n", Exit(77)),
        new(Verdict.Fail, "SKIP: no floppy drive\n", Exit(1)),
        new(Verdict.Pass, "0 SKIPPED\n", Off),
        new(Verdict.Pass, "done\n", Exit(77), "exit: 155"),
        new(Verdict.Crash, "SKIP: no floppy drive\n", Crash),

        // TAP and KTAP.
        new(Verdict.Pass, "TAP version 13\n1..2\nok 1 - a\nok 2 - b\n", Off),
        new(Verdict.Pass, "1..2\nok 1 - a\nok 2 - b\n", Off),
        new(Verdict.Pass, "ok 1 - a\nok 2 - b\n1..2\n", Off),
        new(Verdict.Pass, "1..2\nok\nok\n", Off),
        new(Verdict.Fail, "1..2\nok 1 - a\nnot ok 2 - b\n", Off),
        new(Verdict.Fail, "not ok 1 - a\n", Off),
        new(Verdict.Fail, "not ok\n", Exit(0)),
        new(Verdict.Fail, "1..3\nok 1\nok 2\n", Off),
        new(Verdict.Fail, "1..1\nok 1\nok 2\n", Off),
        new(Verdict.Fail, "1..3\n", Off),
        new(Verdict.Fail, "TAP version 14\n", Off),
        new(Verdict.Fail, "ok 1 - a\nok 2 - b\n1..3\n", Off),
        new(Verdict.Fail, "1..2\nok 1\nBail out! no disk\n", Off),
        new(Verdict.Pass, "1..2\nok 1\nnot ok 2 - b # TODO not written\n", Off),
        new(Verdict.Pass, "1..2\nok 1\nok 2 - b # SKIP no disk\n", Off),
        new(Verdict.SkippedItself, "1..2\nok 1 # SKIP a\nok 2 # skip b\n", Off),
        new(Verdict.SkippedItself, "1..0 # SKIP no disk\n", Off),
        new(Verdict.SkippedItself, "1..0\n", Off),
        new(Verdict.Fail, "1..2\nok 1\nnot ok 2 - reads \\# TODO lists\n", Off),
        new(Verdict.Pass, "1..1\nok 1 - FAILED state is left\n", Off),
        new(Verdict.Pass, "ok, on to the disks\nnot okay is no word of TAP's\n", Off),
        new(Verdict.Fail, "TAP version 13\r\n1..2\r\nok 1\r\nnot ok 2\r\n", Off),
        new(Verdict.Pass, "KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\n  ok 2 b\nok 1 suite\n", Off),
        new(Verdict.Fail, "KTAP version 1\n1..1\n  KTAP version 1\n  1..3\n  ok 1 a\n  ok 2 b\nok 1 suite\n", Off),
        new(Verdict.Fail, "KTAP version 1\n1..1\n  1..1\n  not ok 1 a\nok 1 suite\n", Off),
        new(Verdict.Fail, "[    1.100000] 1..2\n[    1.200000]     # Subtest: s\n[    1.300000]     1..1\n"
            + "[    1.400000]     ok 1 - a\n[    1.500000] ok 1 - s\n", Off),
        new(Verdict.Pass, "[    1.100000] TAP version 14\n[    1.100000] 1..2\n[    1.300000]     # Subtest: s\n[    1.300000]     1..1\n"
            + "[    1.400000]     ok 1 - a\n[    1.500000] ok 1 - s\n[    1.600000]     # Subtest: t\n[    1.600000]     1..1\n"
            + "[    1.700000]     ok 1 - b\n[    1.800000] ok 2 - t\n", Off),
        new(Verdict.Fail, "# example: pass:3 fail:1 skip:0 total:4\n", Off),
        new(Verdict.Pass, "# example: pass:4 fail:0 skip:0 total:4\n", Off),
        new(Verdict.Fail, "# Totals: pass:3 fail:1 xfail:0 xpass:0 skip:0 error:0\n", Off),
        new(Verdict.Pass, "# Totals: pass:3 fail:0 xfail:2 xpass:0 skip:0 error:0\n", Off),

        // Failures before, beside and within what is expected.
        new(Verdict.Fail, "disk FAILED\nall is well\n", Off, "expect: all is well"),
        new(Verdict.Fail, "all is well\ndisk FAILED\n", Off, "expect: all is well"),
        new(Verdict.Fail, "disk not ok: FAILED\n", Off, "expect: ok"),
        new(Verdict.Panic, "panic: no init\nall is well\n", Off, "expect: all is well"),
        new(Verdict.Pass, "panic: as wanted\n", Off, "expect: panic: as wanted"),
        new(Verdict.Panic, "panic: as wanted\npanic: once more\n", Off, "expect: panic: as wanted"),
        new(Verdict.Pass, "panic: as wanted\npanic: as wanted\n", Off, "expect: panic: as wanted"),
        new(Verdict.Pass, "panic: rehearsal\nall is well\n", Off, "allow: panic: rehearsal"),
        new(Verdict.Panic, "panic: real\n", Off, "allow: panic: rehearsal"),
        new(Verdict.Pass, "1..1\nnot ok 1 - known\n", Off, "allow: not ok 1 - known"),

        // Known failures.
        new(Verdict.ExpectedFailure, "FAILED\n", Off, "xfail: bug 12"),
        new(Verdict.ExpectedFailure, "panic: x\n", Time, "xfail: bug 12"),
        new(Verdict.ExpectedFailure, "", Crash, "xfail: bug 12"),
        new(Verdict.ExpectedFailure, "x\n", Time, "xfail: bug 12"),
        new(Verdict.UnexpectedPass, "fine\n", Off, "xfail: bug 12"),
        new(Verdict.HostError, "fine\n", NoRam, "xfail: bug 12"),
        new(Verdict.NotRun, "fine\n", Cut, "xfail: bug 12"),

        // The host and the user.
        new(Verdict.HostError, "hello\n", NoRam),
        new(Verdict.NotRun, "hello\n", Cut),
        new(Verdict.NotRun, "panic: x\n", Cut),
        new(Verdict.NotRun, "hello\n", Closed),

        // Bytes.
        new(Verdict.Pass, "\u001b[32mhello: \u001b[1;32mok\u001b[0m\r\n", Off, "expect: hello: ok"),
        new(Verdict.Fail, "\u001b[31mFA\u001b[1mILED\u001b[0m\r\n", Off),
        new(Verdict.Panic, "\u001b]0;title\u0007Kernel \u001b[31mpanic\u001b[0m - not syncing\n", Off),
        new(Verdict.Pass, "hellp\bo: ok\n", Off, "expect: hello: ok"),
        new(Verdict.Pass, "10 %\r50 %\rhello: ok\r\n", Off, "expect: hello: ok"),
        new(Verdict.Pass, "hello: ok\n\r", Off, "expect: hello: ok"),
        new(Verdict.Pass, "hel\0lo: ok\n", Off, "expect: hello: ok"),
        new(Verdict.Pass, "\u001b(B\u001b[?25lhello: ok\n", Off, "expect: hello: ok"),
        new(Verdict.Pass, "\u001b[31\nhello: ok\n", Off, "expect: hello: ok"), // a sequence cut short
        new(Verdict.Pass, "\u001b]0;never ended\nhello: ok\n", Off, "expect: hello: ok"),
        new(Verdict.Fail, "status: ok\rstatus: FAILED\n", Off),
        new(Verdict.Pass, new string('x', 40_000) + "hello: ok\n", Off, "expect: hello: ok"),
        new(Verdict.Pass, new string('x', GuestText.LongestPiece - 5) + "hello: ok", Off, "expect: hello: ok"),
        new(Verdict.Fail, new string('x', GuestText.LongestPiece - 5) + "hello: ok", Off, "expect: hello: ok\nexpect: hello: ok"),
        new(Verdict.Fail, new string('x', GuestText.LongestPiece - 500) + "hello: ok" + new string('x', 1000), Off, "expect: hello: ok\nexpect: hello: ok"),
        new(Verdict.Panic, new string('x', GuestText.LongestPiece - 5) + " Kernel panic - not syncing", Off),
        new(Verdict.Pass, string.Concat(Enumerable.Repeat("line after line\n", 30_000)) + "hello: ok\n", Off, "expect: hello: ok"),
    ];

    private static TestEnd Exit(uint value) => new(new(StopKind.DebugExit, value));
}
