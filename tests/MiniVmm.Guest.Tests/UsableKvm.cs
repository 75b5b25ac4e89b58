using System.Runtime.Versioning;
using MiniVmm.Kvm;
using Xunit.v3;

[assembly: SupportedOSPlatform("linux")]
// A virtual machine is busy: no more of them at a time than the least of hosts has CPUs.
[assembly: Parallelization(MaxThreads = 2)]

namespace MiniVmm.Guest.Tests;

/// <summary>
/// A KVM that this process may use. Where there is none the tests that need one fail, in these words: a machine that
/// was not built must not look like one that worked.
/// </summary>
public sealed class UsableKvm
{
    public UsableKvm()
    {
        try
        {
            using KvmSystem kvm = KvmSystem.Open();
            MaxVcpus = kvm.CheckExtension(KvmCapability.KVM_CAP_MAX_VCPUS);
        }
        catch (KvmException e)
        {
            throw new InvalidOperationException(
                $"No usable /dev/kvm: {e.Message}. Run these tests where there is one, or by `make test`, which takes them to the lab.");
        }
    }

    public int MaxVcpus { get; }
}
