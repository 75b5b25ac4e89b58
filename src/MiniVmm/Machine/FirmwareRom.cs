using System.Runtime.InteropServices;
using MiniVmm.Boot;

namespace MiniVmm.Machine;

/// <summary>Firmware's image below 4 GiB: the guest reads and executes it, and what it writes there goes nowhere.</summary>
internal sealed unsafe class FirmwareRom : IDisposable
{
    private const int PageSize = 4096;
    private readonly FirmwareVariables? _variables;
    private void* _bytes;

    /// <param name="core">Where it is mapped.</param>
    /// <param name="plan">Has the image, and names the variables.</param>
    /// <param name="warn">Takes a line where variables cannot be kept.</param>
    /// <exception cref="BadInputException">The file of variables cannot be used.</exception>
    /// <exception cref="HostLimitException">KVM does not take it.</exception>
    public FirmwareRom(MachineCore core, MachinePlan plan, Action<OptionMessage> warn)
        : this(core.Memory, plan.FirmwareImage.Span)
    {
        if (plan.Options.FirmwareVariables is not { } path)
            return;
        try
        {
            _variables = new FirmwareVariables(
                core, path, FirmwareImage.Place((ulong)plan.FirmwareImage.Length).Start, warn);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <param name="memory">Where it is mapped.</param>
    /// <param name="image">Copied; whole pages.</param>
    /// <exception cref="HostLimitException">KVM does not take it.</exception>
    private FirmwareRom(AddressSpace memory, ReadOnlySpan<byte> image)
    {
        _bytes = NativeMemory.AlignedAlloc((nuint)image.Length, PageSize);
        image.CopyTo(new Span<byte>(_bytes, image.Length));
        try
        {
            memory.CreateRom(new(FirmwareImage.Place((ulong)image.Length), (nint)_bytes));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>When no vCPU runs any more.</summary>
    public void Dispose()
    {
        _variables?.Dispose();
        NativeMemory.AlignedFree(_bytes);
        _bytes = null;
    }
}
