namespace MiniVmm.Guest.Tests;

/// <summary>Disks and discs of a few instructions, made by hand, which firmware boots: 16-bit code at 0:7c00.</summary>
internal static class BootSector
{
    private const int Sector = 512, DiscSector = 2048;

    /// <summary>
    /// A disk that counts its starts in its second sector: prints the number on COM1 and COM2, and resets the machine; at the third start it
    /// powers off.
    /// </summary>
    public static byte[] CountingDisk
    {
        get
        {
            byte[] again =
            [
                0xfe, 0x06, 0x00, 0x80, // inc byte [0x8000]
                .. SecondSector(0x03),
                .. Reset,
            ];
            return Disk(
            [
                0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, // xor ax, ax; mov ds, ax; mov es, ax; mov ss, ax
                0xbc, 0x00, 0x7c, // mov sp, 0x7c00
                0x89, 0xd5, // mov bp, dx: the drive
                .. SecondSector(0x02),
                0xa0, 0x00, 0x80, // mov al, [0x8000]
                0x04, (byte)'0', // add al, '0'
                .. Print,
                0x80, 0x3e, 0x00, 0x80, 2, // cmp byte [0x8000], 2
                0x73, (byte)again.Length, // jae off
                .. again,
                .. PowerOff,
            ]);
        }
    }

    /// <summary>A disk that prints a letter and powers off.</summary>
    public static byte[] EndingDisk(char letter) => Disk([0xb0, (byte)letter, .. Print, .. PowerOff]);

    /// <summary>A CD that prints a letter and resets the machine (ECMA-119; El Torito 1.0): volume descriptors, a boot catalog, no files.</summary>
    public static byte[] ResettingDisc(char letter)
    {
        byte[] disc = new byte[32 * DiscSector];
        Put(16, 0, "\u0001CD001\u0001"u8);
        Put(17, 0, "\0CD001\u0001EL TORITO SPECIFICATION"u8);
        Put(17, 0x47, [19]);
        Put(18, 0, [255, .. "CD001\u0001"u8]);
        Put(19, 0, [1]);
        Put(19, 28, [0xaa, 0x55, 0x55, 0xaa, 0x88, 0, 0, 0, 0, 0, 4, 0, 20]); // bootable, to 0:7c00, four sectors of 512 bytes
        Put(20, 0, [0xb0, (byte)letter, .. Print, .. Reset]);
        return disc;

        void Put(int sector, int offset, ReadOnlySpan<byte> bytes) => bytes.CopyTo(disc.AsSpan((sector * DiscSector) + offset));
    }

    /// <summary>al, on COM1 and COM2.</summary>
    private static byte[] Print => [0xba, 0xf8, 0x03, 0xee, 0xba, 0xf8, 0x02, 0xee];

    /// <summary>By the keyboard controller: mov al, 0xfe; out 0x64, al; hlt, for ever.</summary>
    private static byte[] Reset => [0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd];

    /// <summary>ACPI's S5: mov dx, 0x604; mov ax, 0x2000; out dx, ax; hlt, for ever.</summary>
    private static byte[] PowerOff => [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4, 0xeb, 0xfd];

    /// <summary>int 13h of the drive in bp, at 0:8000: mov ax, function and 1; mov cx, 2; mov dx, bp; mov dh, 0; mov bx, 0x8000; int 0x13</summary>
    private static byte[] SecondSector(byte function) =>
        [0xb8, 1, function, 0xb9, 2, 0, 0x89, 0xea, 0xb6, 0, 0xbb, 0x00, 0x80, 0xcd, 0x13];

    private static byte[] Disk(byte[] code)
    {
        byte[] disk = new byte[2880 * Sector];
        code.CopyTo(disk, 0);
        (disk[Sector - 2], disk[Sector - 1]) = (0x55, 0xaa);
        return disk;
    }
}
