using System.Runtime.InteropServices;
using MiniVmm.Execution;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Tests.Execution;

public sealed unsafe class KickSignalTests
{
    private const ulong Bit = 1UL << (KickSignal.Number - 1);
    private const ulong Usr2 = 1UL << 11;

    [Fact]
    public void It_is_let_through_and_the_rest_of_the_threads_mask_stays() =>
        OnAThreadOfItsOwn(() =>
        {
            sigset_t blocked = default;
            *(ulong*)&blocked = Bit | Usr2;
            Assert.Equal(0, LibC.pthread_sigmask(LibC.SIG_BLOCK, &blocked, null));
            ulong before = Mask();

            KickSignal.AllowOnThisThread();

            Assert.Equal(before & ~Bit, Mask());
        });

    [Fact]
    public void The_handler_is_native_and_installing_it_again_changes_nothing()
    {
        OnAThreadOfItsOwn(KickSignal.AllowOnThisThread);
        nint first = Handler();
        OnAThreadOfItsOwn(KickSignal.AllowOnThisThread);

        Assert.Equal(NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "abs"), first);
        Assert.Equal(first, Handler());
    }

    [Fact]
    public void A_handler_of_the_processs_own_is_refused_and_left_alone()
    {
        sigaction before;
        Assert.Equal(0, LibC.sigaction(KickSignal.Number, null, &before));
        sigaction own = default;
        own.sa_handler = (void*)NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "labs");
        Assert.Equal(0, LibC.sigaction(KickSignal.Number, &own, null));
        try
        {
            var refused = Assert.Throws<HostLimitException>(KickSignal.AllowOnThisThread);

            Assert.Contains("SIGURG already has a handler", refused.Message);
            Assert.Equal((nint)(void*)own.sa_handler, Handler());
        }
        finally
        {
            Assert.Equal(0, LibC.sigaction(KickSignal.Number, &before, null));
        }
    }

    [Fact]
    public void A_kick_interrupts_a_call_that_is_not_restarted_as_KVM_RUN_is_not()
    {
        int target = 0;
        bool interrupted = false;
        Thread kicked = new(() =>
        {
            KickSignal.AllowOnThisThread();
            Volatile.Write(ref target, Linux.GetTid());
            interrupted = LibC.poll(null, 0, -1) < 0;
        });
        kicked.Start();

        // One that comes before the call is lost, which immediate_exit makes good for KVM_RUN.
        while (!kicked.Join(TimeSpan.FromMilliseconds(1)))
        {
            if (Volatile.Read(ref target) is > 0 and int thread)
                KickSignal.Send(thread);
        }

        Assert.True(interrupted);
    }

    [Fact]
    public void Other_calls_of_the_thread_go_on_after_a_kick()
    {
        using EventFd awaited = new(blocking: true);
        int target = 0;
        long got = 0;
        Thread kicked = new(() =>
        {
            KickSignal.AllowOnThisThread();
            Volatile.Write(ref target, Linux.GetTid());
            ulong value;
            got = (long)LibC.read(awaited.Fd, &value, sizeof(ulong));
        });
        kicked.Start();
        SpinWait.SpinUntil(() => Volatile.Read(ref target) != 0);
        for (int i = 0; i < 3; i++)
        {
            SpinWait.SpinUntil(() => IsAsleep(target));
            KickSignal.Send(target);
        }

        SpinWait.SpinUntil(() => IsAsleep(target) || !kicked.IsAlive);
        awaited.Signal();
        kicked.Join();

        Assert.Equal(sizeof(ulong), got);
    }

    [Fact]
    public void A_kick_to_a_thread_that_is_gone_does_nothing()
    {
        int gone = 0;
        OnAThreadOfItsOwn(() =>
        {
            KickSignal.AllowOnThisThread();
            gone = Linux.GetTid();
        });

        KickSignal.Send(gone);
    }

    private static bool IsAsleep(int thread)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/self/task/{thread}/stat");
            return stat[stat.LastIndexOf(')') + 2] == 'S';
        }
        catch (IOException)
        {
            return true; // gone
        }
    }

    private static nint Handler()
    {
        sigaction now;
        Assert.Equal(0, LibC.sigaction(KickSignal.Number, null, &now));
        return (nint)(void*)now.sa_handler;
    }

    private static ulong Mask()
    {
        sigset_t set;
        Assert.Equal(0, LibC.pthread_sigmask(LibC.SIG_BLOCK, null, &set));
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
