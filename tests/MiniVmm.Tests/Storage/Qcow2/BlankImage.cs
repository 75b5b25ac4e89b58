using System.Buffers.Binary;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>Makes empty images without qemu-img, in memory.</summary>
internal static class BlankImage
{
    public static byte[] Create(ulong size, int clusterBits = 16, int version = 3, int refcountOrder = 4, string? backing = null)
    {
        int cluster = 1 << clusterBits;
        ulong clusters = (size + (ulong)cluster - 1) >> clusterBits;
        int l1Entries = (int)((clusters + (ulong)(cluster / 8) - 1) / (ulong)(cluster / 8));
        int l1Clusters = Math.Max(1, (l1Entries * 8 + cluster - 1) / cluster);
        byte[] image = new byte[(3 + l1Clusters) * cluster];
        "QFI"u8.CopyTo(image);
        image[3] = 0xfb;
        U32(4, (uint)version);
        U32(20, (uint)clusterBits);
        U64(24, size);
        U32(36, (uint)l1Entries);
        U64(40, (ulong)(3 * cluster));
        U64(48, (ulong)cluster);
        U32(56, 1);
        int headerLength = version == 3 ? 104 : 72;
        if (version == 3)
        {
            U32(96, (uint)refcountOrder);
            U32(100, 104);
        }

        if (backing != null)
        {
            int at = headerLength + 16;
            U64(8, (ulong)at);
            U32(16, (uint)backing.Length);
            for (int i = 0; i < backing.Length; i++)
                image[at + i] = (byte)backing[i];
        }

        U64(cluster, (ulong)(2 * cluster));
        for (int i = 0; i < 3 + l1Clusters; i++)
            Qcow2Checker.SetRefcount(image.AsSpan(2 * cluster), refcountOrder, i, 1);
        return image;

        void U32(int at, uint value) => BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(at), value);
        void U64(int at, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(image.AsSpan(at), value);
    }
}
