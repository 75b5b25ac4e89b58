using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>
/// A file with the variables of UEFI firmware: a flash right below the firmware's own, read as memory, and written through to
/// the file. Nobody else has the file meanwhile.
/// </summary>
internal sealed unsafe class FirmwareVariables : IFlashArray, IDisposable
{
    private const int PageSize = 4096;
    private readonly SafeFileHandle _file;
    private readonly AddressSpace _memory;
    private readonly RamSlot _slot;
    private readonly int _length;
    private readonly Action<OptionMessage> _warn;
    private readonly NamedOption _subject;
    private void* _bytes;
    private bool _hasWarned;

    /// <summary>Reads the file, and shows it to the guest.</summary>
    /// <param name="core">Where it goes.</param>
    /// <param name="path">The file.</param>
    /// <param name="end">First address behind it: where the firmware begins.</param>
    /// <param name="warn">Takes a line where the file cannot be written any more.</param>
    /// <exception cref="BadInputException">The file cannot be used.</exception>
    /// <exception cref="HostLimitException">KVM does not take it.</exception>
    public FirmwareVariables(MachineCore core, string path, ulong end, Action<OptionMessage> warn)
    {
        _memory = core.Memory;
        _warn = warn;
        _subject = OptionName.FirmwareVars.With(path);
        _length = CheckLength(path, end);
        _file = Open(path);
        try
        {
            _bytes = NativeMemory.AlignedAlloc((nuint)_length, PageSize);
            int filled = 0;
            while (filled < _length && RandomAccess.Read(_file, Bytes[filled..], filled) is > 0 and int got)
                filled += got;
            Bytes[filled..].Fill(0xff);
            _slot = new(new(end - (ulong)_length, (ulong)_length), (nint)_bytes);
            core.Mmio.Add(new Flash(this), "firmware's variables", _slot.Range.Start, _slot.Range.Length);
            Show(isShown: true);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public Span<byte> Bytes => new(_bytes, _length);

    /// <exception cref="BadInputException">It is no file for variables, or there is no room for it.</exception>
    public static int CheckLength(string path, ulong end)
    {
        NamedOption subject = OptionName.FirmwareVars.With(path);
        if (path.Length == 0)
            throw new BadInputException($"{OptionName.FirmwareVars}: the file name is empty");
        FileInfo file = new(path);
        if (!file.Exists)
            throw new BadInputException($"{subject}: no such file; copy the template of your firmware there, as OVMF_VARS_4M.fd");
        if (file.Length == 0 || file.Length % PageSize != 0 || (ulong)file.Length > end - MemoryLayout.FirmwareStart)
        {
            throw new BadInputException($"{subject}: {file.Length} bytes are no variables of firmware, which are whole pages of 4 KiB, and "
                + $"with the firmware at most {ByteSize.Format(MemoryLayout.HighRam - MemoryLayout.FirmwareStart)}");
        }

        return (int)file.Length;
    }

    public void Show(bool isShown)
    {
        if (isShown)
            _memory.CreateRom(_slot);
        else
            _memory.DeleteSlot(_slot);
    }

    public bool Keep(int offset, int length)
    {
        try
        {
            RandomAccess.Write(_file, Bytes.Slice(offset, length), offset);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (!_hasWarned)
                _warn($"{_subject}: cannot be written: {e.Message}");
            _hasWarned = true;
            return false;
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        NativeMemory.AlignedFree(_bytes);
        _bytes = null;
    }

    private SafeFileHandle Open(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new BadInputException($"{_subject}: permission denied; a machine writes its variables: give it a copy of its own", e);
        }
        catch (IOException e)
        {
            throw new BadInputException($"{_subject}: cannot be opened, or another machine has it: {e.Message}", e);
        }
    }
}
