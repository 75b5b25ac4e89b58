using MiniVmm.Devices;

namespace MiniVmm.Teaching.Compare;

/// <summary>QEMU's fw_cfg, as far as it tells where firmware ends and the kernel begins (docs/specs/fw_cfg, standard_headers/linux/qemu_fw_cfg.h).</summary>
internal static class FirmwareConfiguration
{
    private const ulong LastPort = 0x51b; // of the DMA address

    /// <summary>Whether an item is a part of what -kernel, -initrd and -append give.</summary>
    /// <param name="key">FW_CFG_KERNEL_ADDR 7, _SIZE 8, INITRD_ADDR a, _SIZE b, KERNEL_ENTRY 10, _DATA 11, INITRD_DATA 12, CMDLINE_ADDR 13, _SIZE 14, _DATA 15, SETUP_ADDR 16, _SIZE 17, _DATA 18.</param>
    public static bool IsOfKernel(ulong key) => key is 0x7 or 0x8 or 0xa or 0xb or (>= 0x10 and <= 0x18);

    /// <summary>Whether an exit is for one of its ports.</summary>
    public static bool IsPort(in ComparedExit exit) => exit is { IsPort: true, IsAccess: true, Address: >= IoPorts.FwCfg and <= LastPort };
}
