using System.Buffers.Binary;

namespace MiniVmm.Tests.Ide;

/// <summary>
/// Drivers of chance: their writes reach registers, data, packets and tables; images and RAM must be touched inside only, and a
/// reset always brings the drives back.
/// </summary>
public sealed class IdeFuzzTests
{
    private const int Runs = 200;
    private const int Steps = 150;
    private static readonly byte[] Commands = // those that move data several times
        [0x20, 0x20, 0x20, 0xc8, 0xc8, 0xc8, 0xca, 0xca, 0x30, 0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x40, 0x91, 0xa0, 0xa1, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xe7, 0xec, 0xef, 0x08, 0x90];
    private static readonly byte[] Operations =
        [0x00, 0x03, 0x12, 0x1b, 0x25, 0x28, 0x43, 0x46, 0x4a, 0x51, 0x5a, 0xa8, 0xbd, 0xbe];

    [Fact]
    public void No_driver_gets_out_of_RAM_or_the_image_and_a_reset_helps_always()
    {
        int done = 0, failed = 0, transferred = 0;
        for (int seed = 0; seed < Runs; seed++)
        {
            using IdeMachine ide = new();
            Random random = new(seed);
            byte[] cd = [.. ide.Cd.Bytes];
            int reads = 0;
            ide.Disk.Called = ide.Cd.Called = () =>
            {
                reads++;
                if (random.Next(4) == 0)
                    ide.Access(random, writes: true); // meanwhile, on another vCPU
            };
            for (int step = 0; step < Steps; step++)
                Step(ide, random);
            ide.Disk.Called = ide.Cd.Called = null;
            transferred += reads;

            ide.IsHeld = false;
            ide.Serve();
            ide.Control(4);
            ide.Control(0);
            ide.Serve();
            Assert.Equal(IdeMachine.Request, ide.Command(0xec));
            Assert.Equal(512, ide.ReadBlocks(out _).Length);
            Assert.Equal(IdeMachine.Request, ide.Command(0xa1, drive: 1));
            Assert.Equal(512, ide.ReadBlocks(out _).Length);
            Assert.Equal(cd, ide.Cd.Bytes);
            _ = (ide.Status & 1) != 0 ? failed++ : done++;
        }

        Assert.InRange(transferred, Runs * 3, int.MaxValue); // or nothing is tested
    }

    private static void Step(IdeMachine ide, Random random)
    {
        // What a driver leaves half done, the next step would find busy.
        if (random.Next(4) == 0)
        {
            ide.Control(4);
            ide.Control(0);
            ide.Serve();
        }

        switch (random.Next(12))
        {
            case 0:
                ide.IsHeld = random.Next(4) == 0;
                ide.Serve();
                break;
            case 1 or 9 or 10:
                if (random.Next(2) == 0)
                    Table(ide, random); // as drivers do that start the bus master first
                ide.Command(
                    Commands[random.Next(Commands.Length)], (ulong)random.Next(1010), random.Next(random.Next(2) == 0 ? 8 : 256), random.Next(2), random.Next(4));
                break;
            case 2:
                ide.CommandExt(Commands[random.Next(Commands.Length)], (ulong)random.NextInt64(1L << random.Next(48)), random.Next(0x400));
                break;
            case 3:
                Packet(ide, random);
                break;
            case 4 or 5:
                Table(ide, random);
                break;
            case 6:
                ide.Channel.WriteBusMaster(random.Next(8), (byte)random.Next(256));
                break;
            case 7:
                for (int i = random.Next(600); i > 0; i--)
                    _ = random.Next(2) == 0 ? ide.Word() : Put(ide, (ushort)random.Next());
                break;
            case 8 when random.Next(10) == 0:
                ide.Control((byte)random.Next(256));
                break;
            default:
                ide.Access(random, writes: random.Next(2) == 0);
                _ = ide.Channel.ReadBusMaster(random.Next(8));
                break;
        }
    }

    private static int Put(IdeMachine ide, ushort word)
    {
        ide.Word(word);
        return 0;
    }

    private static void Packet(IdeMachine ide, Random random)
    {
        ide.Command(0xa0, (ulong)random.Next(1 << 24), drive: 1, feature: random.Next(2));
        byte[] packet = new byte[12];
        random.NextBytes(packet);
        packet[0] = Operations[random.Next(Operations.Length)];
        if (random.Next(2) == 0)
            packet.AsSpan(2, 6).Clear();
        ide.WriteWords(packet);
    }

    private static void Table(IdeMachine ide, Random random)
    {
        Span<byte> table = ide.Memory.Bytes(0xd_0000, 64);
        for (int at = 0; at < table.Length; at += 8)
        {
            uint address = random.Next(4) == 0 ? (uint)random.NextInt64() : (uint)random.Next(0xc_0000);
            BinaryPrimitives.WriteUInt32LittleEndian(table[at..], address);
            BinaryPrimitives.WriteUInt32LittleEndian(
                table[(at + 4)..], (uint)random.Next(random.Next(2) == 0 ? 0x1000 : 0x1_0000) | (random.Next(5) == 0 ? 1u << 31 : 0));
        }

        ide.SetTable(random.Next(10) == 0 ? (uint)random.NextInt64() : 0xd_0000);
        ide.Channel.WriteBusMaster(0, (byte)(random.Next(2) == 0 ? 9 : 1));
    }
}
