using System.Reflection;
using MiniVmm.Host;

namespace MiniVmm.Kvm.Tests;

public sealed class KvmExceptionTests
{
    [Theory]
    [InlineData("open /dev/kvm", Errno.EACCES, null,
        "/dev/kvm: permission denied (EACCES); add the user to group kvm, or run as root")]
    [InlineData("open /dev/kvm", Errno.ENOENT, null,
        "/dev/kvm: no such file (ENOENT); load the module kvm_intel or kvm_amd, "
        + "or enable virtualisation in the firmware")]
    [InlineData("open /dev/kvm", Errno.EMFILE, null,
        "/dev/kvm: too many open files (EMFILE); raise the limit of open files (ulimit -n)")]
    [InlineData("KVM_CREATE_VM", Errno.EBUSY, null,
        "KVM_CREATE_VM: device or resource busy (EBUSY); "
        + "another hypervisor holds the processor's virtualisation: stop it")]
    [InlineData("KVM_CREATE_VCPU", Errno.EINVAL, "id 5",
        "KVM_CREATE_VCPU(id 5): invalid argument (EINVAL); the id or the number of vCPUs is over this KVM's limit "
        + "(KVM_CAP_MAX_VCPU_ID, KVM_CAP_MAX_VCPUS)")]
    [InlineData("KVM_CREATE_VCPU", Errno.EEXIST, "id 0",
        "KVM_CREATE_VCPU(id 0): exists already (EEXIST); the VM has a vCPU with that id already")]
    [InlineData("KVM_GET_STATS_FD", Errno.ENOTTY, null,
        "KVM_GET_STATS_FD: request not known to this file (ENOTTY); "
        + "this kernel's KVM does not have it: use a newer one")]
    [InlineData("KVM_GET_REGS", 200, null, "KVM_GET_REGS: error (errno 200)")]
    public void The_message_says_what_failed_why_and_what_to_do(
        string operation, int errno, string? detail, string message)
    {
        var error = new KvmException(operation, errno, detail);
        Assert.Equal(message, error.Message);
        Assert.Equal(operation, error.Operation);
        Assert.Equal(errno, error.Errno);
        Assert.Equal(Errno.Name(errno), error.ErrnoName);
    }

    [Fact]
    public void Every_request_has_a_one_line_message_for_every_errno()
    {
        IEnumerable<string> operations = typeof(KvmIoctl).GetFields().Select(f => f.Name).Append("open /dev/kvm");
        foreach (string operation in operations)
        {
            for (int errno = 1; errno < 134; errno++)
            {
                var error = new KvmException(operation, errno);
                Assert.DoesNotContain('\n', error.Message);
                Assert.EndsWith(error.Hint.Length > 0 ? $"); {error.Hint}" : $"({error.ErrnoName})", error.Message);
                Assert.False(error.Hint.EndsWith('.'), error.Message);
            }
        }
    }

    [Fact]
    public void Error_numbers_are_those_of_the_C_library()
    {
        FieldInfo[] errors = typeof(Errno).GetFields();
        Assert.NotEmpty(errors);
        foreach (FieldInfo error in errors)
        {
            PropertyInfo libc = typeof(Tmds.Linux.LibC).GetProperty(error.Name)!;
            int number = (int)libc.GetValue(null)!;
            Assert.Equal(number, error.GetRawConstantValue());
            Assert.Equal(error.Name, Errno.Name(number));
            Assert.NotEqual("error", Errno.Describe(number));
        }
    }

    [Fact]
    public void A_path_without_a_device_is_told_with_the_path()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var error = Assert.Throws<KvmException>(() => KvmSystem.Open(path));
        Assert.Equal(Errno.ENOENT, error.Errno);
        Assert.Equal($"open {path}", error.Operation);
        Assert.StartsWith($"{path}: no such file (ENOENT); ", error.Message);
    }

    [Fact]
    public void A_file_that_is_not_KVM_is_refused()
    {
        var error = Assert.Throws<KvmException>(() => KvmSystem.Open("/dev/null"));
        Assert.Equal("KVM_GET_API_VERSION", error.Operation);
        Assert.Equal(Errno.ENOTTY, error.Errno);
        Assert.Equal("that file is not KVM: use /dev/kvm", error.Hint);
    }
}
