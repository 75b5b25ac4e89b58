using System.Buffers.Binary;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices.State;

/// <summary>Records as they lie in a state, one in another, with their checksums made good again.</summary>
internal static class StateDamage
{
    /// <summary>Where records begin, the innermost last.</summary>
    public static int[] Records(byte[] state) =>
        [.. Enumerable.Range(0, state.Length).Where(at => TryMeasure(state.AsSpan(at), out _))];

    /// <summary>The state with some change, and good checksums.</summary>
    public static byte[] Altered(byte[] state, Action<byte[]> change)
    {
        byte[] altered = [.. state];
        change(altered);
        Seal(altered);
        return altered;
    }

    public static void Seal(byte[] state)
    {
        foreach (int at in Records(state).Reverse())
        {
            TryMeasure(state.AsSpan(at), out int body);
            BinaryPrimitives.WriteUInt32LittleEndian(
                state.AsSpan(at + body), StateRecord.Checksum(state.AsSpan(at, body)));
        }
    }

    private static bool TryMeasure(ReadOnlySpan<byte> record, out int body)
    {
        body = 0;
        if (record.Length < StateRecord.HeaderLength
            || BinaryPrimitives.ReadUInt32LittleEndian(record) != StateRecord.Magic)
            return false;
        int at = StateRecord.HeaderLength + record[6];
        if (at + 4 > record.Length)
            return false;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(record[at..]);
        body = at + 4 + (int)Math.Min(length, int.MaxValue / 2);
        return body + 4 <= record.Length;
    }
}
