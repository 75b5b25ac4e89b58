namespace MiniVmm.Boot;

/// <summary>What a boot loader's configuration says of a kernel.</summary>
internal enum BootProtocol
{
    /// <summary>The kernel's file says it.</summary>
    Any,
    Linux,
    Multiboot,
    Multiboot2,
    Limine,
}
