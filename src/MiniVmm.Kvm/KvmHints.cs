using static MiniVmm.Host.Errno;

namespace MiniVmm.Kvm;

/// <summary>What to do about an errno, by the operation that gave it (api.rst names the causes).</summary>
internal static class KvmHints
{
    /// <summary>One clause without a full stop; empty if nothing useful can be said.</summary>
    internal static string For(string operation, int errno)
    {
        string specific = operation.StartsWith("open ", StringComparison.Ordinal)
            ? OnOpen(errno)
            : OnSystem(operation, errno) ?? OnMemory(operation, errno) ?? OnInterrupts(operation, errno)
                ?? OnVcpu(operation, errno) ?? "";
        return specific.Length > 0 ? specific : OnAny(errno);
    }

    private static string OnOpen(int errno) => errno switch
    {
        EACCES or EPERM => "add the user to group kvm, or run as root",
        ENOENT => "load the module kvm_intel or kvm_amd, or enable virtualisation in the firmware",
        ENODEV or ENXIO => "the device node has no driver behind it: load the module kvm_intel or kvm_amd",
        EBUSY => "another hypervisor holds the processor's virtualisation: stop it",
        _ => "",
    };

    private static string? OnSystem(string operation, int errno) => (operation, errno) switch
    {
        ("KVM_GET_API_VERSION", ENOTTY) => "that file is not KVM: use /dev/kvm",
        ("KVM_CREATE_VM", EBUSY) => "another hypervisor holds the processor's virtualisation: stop it",
        ("KVM_CREATE_VM", ENOMEM) => "the host is out of memory: close something, or raise the memory cgroup's limit",
        ("KVM_CREATE_VM", EINVAL or EOPNOTSUPP) => "this KVM has no virtual machines of the default type",
        ("KVM_GET_SUPPORTED_CPUID", E2BIG) => "this KVM has more CPUID leaves than there is room for",
        ("KVM_ENABLE_CAP", EINVAL) =>
            "this KVM lacks the capability, refuses the argument, or wants it before the first vCPU",
        _ => null,
    };

    private static string? OnMemory(string operation, int errno) => (operation, errno) switch
    {
        ("KVM_SET_USER_MEMORY_REGION", EINVAL) =>
            "the range must be whole pages on both sides, in a slot that this KVM has, and of the same size as before",
        ("KVM_SET_USER_MEMORY_REGION", EEXIST) => "it overlaps another slot's guest addresses",
        ("KVM_SET_USER_MEMORY_REGION", EFAULT) => "the host addresses are not mapped",
        ("KVM_SET_USER_MEMORY_REGION", ENOMEM) => "the host has no memory for the slot's tables: give the guest less",
        ("KVM_SET_TSS_ADDR", EINVAL) => "the three pages must lie below 4 GiB",
        ("KVM_SET_IDENTITY_MAP_ADDR", EINVAL) => "it must be set before the first vCPU",
        ("KVM_SET_TSS_ADDR" or "KVM_SET_IDENTITY_MAP_ADDR", EEXIST) => "guest RAM lies there already",
        ("mmap kvm_run", ENOMEM) => "the host is out of address space or memory",
        _ => null,
    };

    private static string? OnInterrupts(string operation, int errno) => (operation, errno) switch
    {
        ("KVM_CREATE_IRQCHIP", EEXIST) => "the VM has an interrupt controller already",
        ("KVM_CREATE_IRQCHIP", EINVAL) => "it must come before the first vCPU",
        ("KVM_CREATE_IRQCHIP", ENOTTY) => "this KVM has no interrupt controller in the kernel",
        ("KVM_CREATE_PIT2", EEXIST) => "the VM has a PIT already",
        ("KVM_CREATE_PIT2", ENOENT) => "call KVM_CREATE_IRQCHIP first",
        ("KVM_IRQ_LINE" or "KVM_SIGNAL_MSI", ENXIO) => "call KVM_CREATE_IRQCHIP first",
        ("KVM_SIGNAL_MSI", EINVAL) => "call KVM_CREATE_IRQCHIP first, and check the message's flags",
        ("KVM_IRQFD", EBUSY) => "that eventfd raises an interrupt already",
        ("KVM_IRQFD", EINVAL) => "the GSI has no route, the file is no eventfd, or there is no in-kernel irqchip",
        ("KVM_IOEVENTFD", EEXIST) => "that address has an eventfd with the same length and data already",
        ("KVM_IOEVENTFD", ENOENT) => "no eventfd is assigned there with that length and data",
        ("KVM_IOEVENTFD", EINVAL) => "the length must be 1, 2, 4 or 8 (0 for any, without a data match)",
        ("KVM_IOEVENTFD" or "KVM_REGISTER_COALESCED_MMIO", ENOSPC) => "this VM has no room for more of them",
        ("KVM_SET_GSI_ROUTING", EINVAL) => "a route names a GSI or pin that is not there, or has unknown flags",
        ("KVM_SET_GSI_ROUTING", E2BIG) => "too many routes",
        _ => null,
    };

    private static string? OnVcpu(string operation, int errno) => (operation, errno) switch
    {
        ("KVM_CREATE_VCPU", EEXIST) => "the VM has a vCPU with that id already",
        ("KVM_CREATE_VCPU", EINVAL) =>
            "the id or the number of vCPUs is over this KVM's limit (KVM_CAP_MAX_VCPU_ID, KVM_CAP_MAX_VCPUS)",
        ("KVM_CREATE_VCPU", ENOMEM) => "the host is out of memory: use fewer vCPUs",
        ("KVM_SET_CPUID2", E2BIG) => "this KVM takes at most 256 CPUID entries",
        ("KVM_SET_CPUID2", EINVAL) =>
            "the CPUID table cannot be had, or it changed after the vCPU first ran",
        ("KVM_SET_SREGS", EINVAL) =>
            "the control registers, EFER and segments do not go together, or set bits that the CPUID table lacks",
        ("KVM_SET_MSRS" or "KVM_GET_MSRS", E2BIG) => "too many MSRs in one call",
        ("KVM_GET_LAPIC" or "KVM_SET_LAPIC", EINVAL) => "call KVM_CREATE_IRQCHIP before the vCPU is made",
        ("KVM_SET_MP_STATE" or "KVM_GET_MP_STATE", EINVAL) =>
            "that state needs an in-kernel irqchip, or is not one of x86",
        ("KVM_RUN", EFAULT) => "the guest reached host memory that is not there, or cannot be backed",
        ("KVM_RUN", ENOMEM) => "the host is out of memory",
        ("KVM_RUN", EINVAL) => "the vCPU's state is not one that a processor can have",
        ("KVM_RUN", EPERM) => "the VM was made by another process",
        _ => null,
    };

    private static string OnAny(int errno) => errno switch
    {
        EIO => "the VM belongs to another process, or the kernel has given it up (see dmesg)",
        ENOTTY or ENOSYS or EOPNOTSUPP => "this kernel's KVM does not have it: use a newer one",
        _ => "",
    };
}
