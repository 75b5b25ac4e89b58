using System.Buffers.Binary;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>
/// Counts an image's references and compares them with its refcounts, as `qemu-img check` does, but in memory and in
/// microseconds. Images without snapshots. A test holds it against the original.
/// </summary>
internal static class Qcow2Checker
{
    /// <summary>Errors are what `qemu-img check` exits with 2 for; leaks, with 3.</summary>
    public static (List<string> Errors, int Leaks) Check(byte[] image)
    {
        var errors = new List<string>();
        int bits = (int)U32(image, 20);
        int cluster = 1 << bits;
        int order = U32(image, 4) == 2 ? 4 : (int)U32(image, 96);
        int l1Size = (int)U32(image, 36);
        int l1 = (int)U64(image, 40);
        int table = (int)U64(image, 48);
        int tableClusters = (int)U32(image, 56);
        var uses = new Dictionary<long, int>();
        void Use(long offset, long length)
        {
            for (long at = offset >> bits; at <= (offset + Math.Max(length, 1) - 1) >> bits; at++)
                uses[at] = uses.GetValueOrDefault(at) + 1;
        }

        long RefcountOf(long at)
        {
            long perBlock = ((long)cluster * 8) >> order;
            long index = at / perBlock;
            if (index >= (long)tableClusters * cluster / 8)
                return 0;
            long block = (long)U64(image, table + (int)(index * 8));
            return block == 0 || block + cluster > image.Length
                ? 0
                : Refcount(image.AsSpan((int)block, cluster), order, (int)(at % perBlock));
        }

        Use(0, 1);
        Use(l1, l1Size * 8);
        Use(table, (long)tableClusters * cluster);
        for (int i = 0; i < tableClusters * cluster / 8; i++)
        {
            long block = (long)U64(image, table + (i * 8));
            if (block == 0)
                continue;
            Use(block, 1);
            if (block % cluster != 0 || block >= image.Length)
                errors.Add($"refcount block {i} at {block}");
        }

        for (int i = 0; i < l1Size; i++)
        {
            ulong l1Entry = U64(image, l1 + (i * 8));
            long l2 = (long)(l1Entry & 0x00ff_ffff_ffff_fe00);
            if (l2 == 0)
                continue;
            Use(l2, 1);
            if (l2 % cluster != 0 || l2 >= image.Length)
            {
                errors.Add($"L2 table {i} at {l2}");
                continue;
            }

            if (RefcountOf(l2 >> bits) == 1 != l1Entry >> 63 > 0)
                errors.Add($"L1 entry {i}: copied flag");
            for (int j = 0; j < cluster / 8 && l2 + (j * 8) + 8 <= image.Length; j++)
            {
                ulong entry = U64(image, (int)l2 + (j * 8));
                long host = (long)(entry & 0x00ff_ffff_ffff_fe00);
                if ((entry & (1UL << 62)) != 0)
                {
                    int x = 62 - (bits - 8);
                    long at = (long)(entry & ((1UL << x) - 1));
                    long sectors = (long)((entry & ((1UL << 62) - 1)) >> x) + 1;
                    Use(at / 512 * 512, sectors * 512);
                }
                else if (host != 0)
                {
                    Use(host, 1);
                    if (host % cluster != 0)
                        errors.Add($"data of {i}/{j} at {host}");
                    if (RefcountOf(host >> bits) == 1 != entry >> 63 > 0)
                        errors.Add($"L2 entry {i}/{j}: copied flag, refcount {RefcountOf(host >> bits)}");
                }
            }
        }

        int leaks = 0;
        for (long at = 0; at < (image.Length + cluster - 1) >> bits; at++)
        {
            long count = RefcountOf(at);
            int used = uses.GetValueOrDefault(at);
            if (count < used)
                errors.Add($"cluster {at}: refcount {count}, {used} references");
            else if (count > used)
                leaks++;
        }

        return (errors, leaks);
    }

    public static void SetRefcount(Span<byte> block, int order, int index, ulong value)
    {
        int width = 1 << order;
        if (order < 3)
        {
            int shift = index * width % 8;
            ref byte shared = ref block[index * width / 8];
            shared = (byte)((shared & ~(((1 << width) - 1) << shift)) | ((int)value << shift));
            return;
        }

        for (int i = 0; i < width / 8; i++)
            block[(index * width / 8) + i] = (byte)(value >> (width - 8 - (8 * i)));
    }

    private static long Refcount(ReadOnlySpan<byte> block, int order, int index)
    {
        int width = 1 << order;
        if (order < 3)
            return (block[index * width / 8] >> (index * width % 8)) & ((1 << width) - 1);
        long value = 0;
        for (int i = 0; i < width / 8; i++)
            value = (value << 8) | block[(index * width / 8) + i];
        return value;
    }

    private static uint U32(byte[] image, int at) => BinaryPrimitives.ReadUInt32BigEndian(image.AsSpan(at));

    private static ulong U64(byte[] image, int at) => BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(at));
}
