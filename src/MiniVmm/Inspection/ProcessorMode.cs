namespace MiniVmm.Inspection;

/// <summary>A vCPU's mode in words.</summary>
internal static class ProcessorMode
{
    /// <summary>As in "64-bit long mode, 4-level paging, CPL 0, interrupts off".</summary>
    public static string Describe(GuestView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        string paging = view.Paging.Mode switch
        {
            PagingMode.None => "no paging",
            PagingMode.TwoLevel => "32-bit paging",
            PagingMode.Pae => "PAE paging",
            PagingMode.FourLevel => "4-level paging",
            _ => "5-level paging",
        };
        string interrupts = (view.Regs.rflags & ControlBits.RflagsIf) != 0 ? "on" : "off";
        return $"{Name(view)}, {paging}, CPL {view.Cpl}, interrupts {interrupts}";
    }

    private static string Name(GuestView view) => view switch
    {
        { IsProtected: false } => "real mode",
        { IsVirtual8086: true } => "virtual-8086 mode",
        { Is64Bit: true } => "64-bit long mode",
        { IsLongMode: true } => $"compatibility mode ({view.CodeBits}-bit code in long mode)",
        _ => $"{view.CodeBits}-bit protected mode",
    };
}
