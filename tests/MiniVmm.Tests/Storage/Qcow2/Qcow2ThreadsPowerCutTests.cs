using System.Buffers.Binary;
using MiniVmm.Storage.Qcow2;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>
/// The power is cut again and again while several threads write, zero, discard and flush: whatever a thread's flush was
/// called for is there, and no cluster is used twice. Each sector says which of its thread's writes it is of.
/// </summary>
public sealed class Qcow2ThreadsPowerCutTests
{
    private const int ThreadCount = 4;
    private const int ExtentBytes = 13 * 512;
    private const int Extents = 96;
    private const int Size = Extents * ExtentBytes;
    private const int Cuts = 24;

    [Theory]
    [InlineData(9, 3, false)]
    [InlineData(12, 3, true)]
    [InlineData(12, 2, false)]
    [InlineData(14, 3, true)]
    public void What_a_thread_flushed_is_there_after_a_power_cut_while_others_write(int bits, int version, bool hasBacking)
    {
        byte[] image = BlankImage.Create(Size, bits, version, 4, hasBacking ? "below" : null);
        var file = new MemoryImageFile(image) { RemembersWrites = true };
        var failures = new List<string>();
        int[] issued = new int[Extents];
        int[] durable = new int[Extents];
        bool stops = false;
        using (Qcow2Image disk = Open(file, failures))
        {
            var threads = new List<Thread>();
            for (int i = 0; i < ThreadCount; i++)
            {
                int mine = i;
                threads.Add(new Thread(() => Exercise(disk, mine, issued, durable, failures, ref stops)));
            }

            threads.ForEach(thread => thread.Start());
            var random = new Random(bits);
            for (int cut = 0; cut < Cuts; cut++)
            {
                int[] least = Copy(durable);
                byte[] left = cut % 4 == 0 ? file.AfterKill() : file.AfterPowerCut(random);
                int[] most = Copy(issued);
                string? failure = Judge(left, least, most);
                lock (failures)
                    failures.AddRange(failure == null ? [] : [$"cut {cut}: {failure}"]);
            }

            Volatile.Write(ref stops, true);
            threads.ForEach(thread => thread.Join());
        }

        Assert.Empty(failures);
        Assert.All(issued, count => Assert.NotEqual(0, count));
        Assert.Contains(durable, count => count > 1);
        (List<string> errors, int leaks) = Qcow2Checker.Check(file.AfterKill());
        Assert.Empty(errors);
        Assert.Equal(0, leaks);
    }

    private static void Exercise(
        Qcow2Image disk, int mine, int[] issued, int[] durable, List<string> failures, ref bool stops)
    {
        var random = new Random(mine);
        int[] done = new int[Extents];
        byte[] data = new byte[ExtentBytes];
        for (int step = 0; !Volatile.Read(ref stops) || step < 4 * Extents; step++)
        {
            int errno;
            if (random.Next(10) == 0)
            {
                int[] covered = [.. done];
                errno = disk.Flush();
                for (int i = mine; i < Extents && errno == 0; i += ThreadCount)
                    Volatile.Write(ref durable[i], covered[i]);
            }
            else
            {
                int extent = (step % (Extents / ThreadCount) * ThreadCount) + mine;
                int number = done[extent] + 1;
                Volatile.Write(ref issued[extent], number);
                ulong at = (ulong)extent * ExtentBytes;
                Fill(data, extent, number);
                errno = KindOf(number) switch
                {
                    Kind.Zeroes => disk.WriteZeroes(at, ExtentBytes, unmap: number % 2 == 0),
                    Kind.Discard => disk.Discard(at, ExtentBytes),
                    _ => ModelDisk.Write(disk, at, data),
                };
                done[extent] = number;
            }

            if (errno == 0)
                continue;
            lock (failures)
                failures.Add($"thread {mine}, step {step}: errno {errno}");
            return;
        }
    }

    private static string? Judge(byte[] left, int[] least, int[] most)
    {
        (List<string> errors, _) = Qcow2Checker.Check(left);
        if (errors.Count > 0)
            return string.Join("; ", errors.Take(4));
        using Qcow2Image disk = Open(new MemoryImageFile(left, readOnly: true), []);
        byte[] found = new byte[Size];
        if (ModelDisk.Read(disk, 0, found) is not 0 and int errno)
            return $"errno {errno}";
        byte[] wanted = new byte[ExtentBytes];
        for (int extent = 0; extent < Extents; extent++)
        {
            // A discard leaves what was there, or zeroes.
            int from = least[extent];
            while (from > 0 && KindOf(from) == Kind.Discard)
                from--;
            bool[] good = new bool[ExtentBytes / 512];
            for (int number = from; number <= most[extent]; number++)
            {
                Fill(wanted, extent, number);
                for (int i = 0; i < good.Length; i++)
                    good[i] |= found.AsSpan((extent * ExtentBytes) + (i * 512), 512).SequenceEqual(wanted.AsSpan(i * 512, 512));
            }

            int bad = Array.IndexOf(good, false);
            if (bad >= 0)
            {
                int seen = BinaryPrimitives.ReadInt32LittleEndian(found.AsSpan((extent * ExtentBytes) + (bad * 512) + 4));
                return $"extent {extent}, sector {bad}: has write {seen}, not {least[extent]} to {most[extent]}";
            }
        }

        return null;
    }

    private static Kind KindOf(int number) =>
        number == 0 || number % 5 == 0 ? Kind.Zeroes : number % 7 == 0 ? Kind.Discard : Kind.Data;

    private static void Fill(byte[] data, int extent, int number)
    {
        data.AsSpan().Clear();
        if (KindOf(number) != Kind.Data)
            return;
        for (int at = 0; at < data.Length; at += 512)
        {
            data.AsSpan(at, 512).Fill((byte)(number | 0x80));
            BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(at), extent);
            BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(at + 4), number);
        }
    }

    private static int[] Copy(int[] numbers)
    {
        int[] copy = new int[numbers.Length];
        for (int i = 0; i < copy.Length; i++)
            copy[i] = Volatile.Read(ref numbers[i]);
        return copy;
    }

    private static Qcow2Image Open(MemoryImageFile file, List<string> lines) =>
        Qcow2Image.Open(file, (_, _, _) => new ArrayDisk(new byte[Size / 2]), line => lines.Add(line.OnCommandLine()));

    private enum Kind
    {
        Data,
        Zeroes,
        Discard,
    }
}
