using MiniVmm.Execution;
using MiniVmm.Kvm;
using Tmds.Linux;

namespace MiniVmm.Tests.Execution;

public sealed unsafe class KickSignalTests
{
    private const ulong Bit = 1UL << (KickSignal.Number - 1);
    private const ulong SpareBit = 1UL << 9; // SIGUSR1

    [Fact]
    public void The_number_is_a_realtime_signal_that_neither_glibc_nor_the_runtime_has() =>
        Assert.InRange(KickSignal.Number, 35, 64);

    [Fact]
    public void Blocking_keeps_the_threads_own_mask_and_gives_KVM_one_with_the_kick_let_through() =>
        OnAThreadOfItsOwn(() =>
        {
            sigset_t usr2 = default;
            *(ulong*)&usr2 = 1UL << 11;
            Assert.Equal(0, LibC.pthread_sigmask(LibC.SIG_BLOCK, &usr2, null));
            ulong before = Mask();

            ulong forKvm = KickSignal.BlockOnThisThread();

            Assert.Equal(before | Bit | SpareBit, Mask());
            Assert.Equal(before & ~(Bit | SpareBit), forKvm);
            Assert.Equal(forKvm, KickSignal.BlockOnThisThread()); // also where it is blocked already
        });

    [Fact]
    public void A_kick_stays_pending_until_it_is_drained_however_often_it_was_sent() =>
        OnAThreadOfItsOwn(() =>
        {
            KickSignal.BlockOnThisThread();
            Assert.Equal(0UL, Pending() & Bit);
            for (int i = 0; i < 3; i++)
                KickSignal.Send(Linux.GetTid());
            Assert.Equal(Bit, Pending() & Bit);

            KickSignal.Drain();

            Assert.Equal(0UL, Pending() & Bit);
            KickSignal.Drain(); // nothing pending: returns at once
        });

    [Fact]
    public void A_kick_from_another_thread_goes_to_the_one_it_is_meant_for()
    {
        using Barrier steps = new(2);
        int target = 0;
        ulong pending = 0;
        Thread kicked = new(() =>
        {
            KickSignal.BlockOnThisThread();
            target = Linux.GetTid();
            steps.SignalAndWait();
            steps.SignalAndWait();
            pending = Pending();
            KickSignal.Drain();
        });
        kicked.Start();
        steps.SignalAndWait();
        KickSignal.Send(target);
        steps.SignalAndWait();
        kicked.Join();

        Assert.Equal(Bit, pending & Bit);
    }

    [Fact]
    public void A_kick_to_a_thread_that_is_gone_does_nothing()
    {
        // Blocked, as on every vCPU thread: a thread that was joined may still be on its way out.
        int gone = 0;
        OnAThreadOfItsOwn(() =>
        {
            KickSignal.BlockOnThisThread();
            gone = Linux.GetTid();
        });

        KickSignal.Send(gone);
    }

    private static ulong Mask()
    {
        sigset_t set;
        Assert.Equal(0, LibC.pthread_sigmask(LibC.SIG_BLOCK, null, &set));
        return *(ulong*)&set;
    }

    private static ulong Pending()
    {
        sigset_t set;
        Assert.Equal(0, LibC.sigpending(&set));
        return *(ulong*)&set;
    }

    /// <summary>The mask is the thread's: one of the test runner's own threads must not keep it.</summary>
    private static void OnAThreadOfItsOwn(Action test)
    {
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                test();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        Assert.Null(failure);
    }
}
