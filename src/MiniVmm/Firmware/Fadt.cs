using System.Buffers.Binary;
using MiniVmm.Devices;

namespace MiniVmm.Firmware;

/// <summary>
/// Fixed ACPI Description Table and the FACS it points to (ACPI 6.5, 5.2.9 and 5.2.10): power-off, reset and
/// the PM timer at fixed ports, ACPI mode from the start, a fixed power button, no general-purpose events.
/// </summary>
internal static class Fadt
{
    /// <summary>From 6.3 on Linux believes the online-capable flag of the MADT (arch/x86/kernel/acpi/boot.c).</summary>
    private const byte MajorVersion = 6, MinorVersion = 3;

    private const int Size = 276;
    private const int FacsSize = 64;
    private const byte Pm1EventLength = 4, Pm1ControlLength = 2, PmTimerLength = 4;

    /// <summary>Latencies over 100 µs and 1000 µs say that there is no C2 and no C3.</summary>
    private const ushort NoC2 = 0xfff, NoC3 = 0xfff;

    [Flags]
    private enum BootArchitecture : ushort
    {
        /// <summary>There are ISA devices a user can see: the serial port.</summary>
        LegacyDevices = 1 << 0,
        KeyboardController = 1 << 1,
        VgaNotPresent = 1 << 2,
    }

    [Flags]
    private enum Features : uint
    {
        Wbinvd = 1 << 0,
        C1OnAllProcessors = 1 << 2,
        // Not PWR_BUTTON, 1 << 4: clear, it says that the power button is in PM1 and not a device in the DSDT.
        NoFixedSleepButton = 1 << 5,
        NoFixedRtcWake = 1 << 6,
        PmTimerHas32Bits = 1 << 8,
        ResetRegister = 1 << 10,
    }

    /// <summary>The width in which a register wants to be accessed; the block may be wider.</summary>
    private enum AccessSize : byte
    {
        Byte = 1,
        Word = 2,
        Dword = 3,
    }

    /// <param name="facs">Guest-physical address of the FACS.</param>
    /// <param name="dsdt">Guest-physical address of the DSDT.</param>
    /// <param name="hasScreen">Whether the guest is to use a text screen and a keyboard.</param>
    public static byte[] Build(uint facs, uint dsdt, bool hasScreen = false)
    {
        // Offsets are those of table 5.9 in the specification. What is not written is 0: absent.
        byte[] table = new byte[Size];
        // X_FIRMWARE_CTRL, for a FACS over 4 GiB, must stay 0 when this one is used.
        U32(36, facs);
        U32(40, dsdt);
        U16(46, IoPorts.AcpiSciIrq);
        U32(56, IoPorts.AcpiPm1aEvent);
        U32(64, IoPorts.AcpiPm1aControl);
        U32(76, IoPorts.AcpiPmTimer);
        table[88] = Pm1EventLength;
        table[89] = Pm1ControlLength;
        table[91] = PmTimerLength;
        U16(96, NoC2);
        U16(98, NoC3);
        table[108] = Rtc.CenturyIndex;
        U16(109, (ushort)(BootArchitecture.LegacyDevices
            | (hasScreen ? BootArchitecture.KeyboardController : BootArchitecture.VgaNotPresent)));
        U32(112, (uint)(Features.Wbinvd | Features.C1OnAllProcessors | Features.NoFixedSleepButton
            | Features.NoFixedRtcWake | Features.PmTimerHas32Bits | Features.ResetRegister));
        IoRegister(116, IoPorts.Reset, 1, AccessSize.Byte);
        table[128] = IoPorts.ResetValue;
        table[131] = MinorVersion;
        // Linux takes the 64-bit fields, others the 32-bit ones, and Linux warns when they differ.
        U64(140, dsdt);
        IoRegister(148, IoPorts.AcpiPm1aEvent, Pm1EventLength, AccessSize.Word);
        IoRegister(172, IoPorts.AcpiPm1aControl, Pm1ControlLength, AccessSize.Word);
        IoRegister(208, IoPorts.AcpiPmTimer, PmTimerLength, AccessSize.Dword);
        return AcpiTable.Build("FACP", MajorVersion, table.AsSpan(AcpiTable.HeaderSize));

        void U16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(offset), value);
        void U32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(offset), value);
        void U64(int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(offset), value);

        // A generic address in I/O space (5.2.3.2).
        void IoRegister(int offset, ushort port, byte length, AccessSize access)
        {
            table[offset] = 1;
            table[offset + 1] = (byte)(length * 8);
            table[offset + 3] = (byte)access;
            U64(offset + 4, port);
        }
    }

    /// <summary>
    /// Firmware ACPI Control Structure: waking vector and global lock, both unused, but a machine with fixed
    /// hardware must have one. It lies at a multiple of 64 and has no checksum.
    /// </summary>
    public static byte[] BuildFacs()
    {
        ByteWriter facs = new();
        facs.Ascii("FACS");
        facs.U32(FacsSize);
        facs.Zeros(24);
        facs.U8(2);
        facs.Zeros(FacsSize - facs.Length);
        return facs.ToArray();
    }
}
