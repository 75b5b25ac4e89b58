using System.Diagnostics;
using CsCheck;
using MiniVmm.Sharing;
using MiniVmm.Virtio.Share;

namespace MiniVmm.Tests.Virtio.Share;

/// <summary>Guests that ask what they like: the server answers, and what is outside the folder stays as it is.</summary>
public sealed class NineServerFuzzTests
{
    private static readonly string[] Names = ["a", "b", "c", "link", "..", ".", "", "../out", "/", new('x', 300), "a\0"];

    private static readonly uint[] Flags = [0, 1, 2, 0x40, 0xc0, 0x200, 0x1ff, 0x1000, 0x4000, 0x8000, 0x7ff];

    private static readonly Gen<object[]> Parts = Gen.OneOf(
        Gen.UInt[0, 5].Select(value => (object)value), Gen.UInt.Select(value => (object)value),
        Gen.Int[0, Names.Length - 1].Select(i => (object)Names[i]), Gen.Int[0, Flags.Length - 1].Select(i => (object)Flags[i]),
        Gen.ULong[0, 100].Select(value => (object)value), Gen.ULong.Select(value => (object)value),
        Gen.UShort[0, 20].Select(value => (object)value), Gen.Byte.Array[0, 40].Select(value => (object)value)).Array[0, 9];

    [Fact]
    public void Any_bytes_are_answered_or_left_alone() => InFolder((server, _) =>
        Gen.Byte.Array[0, 100].Sample(
            bytes =>
            {
                byte[] room = new byte[bytes.Length * 3 % 90];
                Assert.InRange(server.Answer(bytes, room), 0, room.Length);
            },
            iter: 20_000));

    [Fact]
    public void Any_requests_leave_what_is_outside_as_it_is() => InFolder((server, outside) =>
    {
        NineClient client = new(server);
        NineMessage[] kinds = [.. Enum.GetValues<NineMessage>().Where(kind => kind is not (NineMessage.Rlerror or NineMessage.Tversion))];
        Gen.Select(Gen.Int[0, kinds.Length - 1].Select(i => kinds[i]), Parts).Array[1, 40].Sample(
            requests =>
            {
                client.Begin();
                client.Try(NineMessage.Tmkdir, 0u, "a", 0x1c0u, 0u);
                client.Try(NineMessage.Tsymlink, 0u, "link", "../out", 0u);
                client.Try(NineMessage.Twalk, 0u, 1u, (ushort)1, "a");
                client.Try(NineMessage.Twalk, 0u, 2u, (ushort)0);
                client.Try(NineMessage.Tlcreate, 2u, "b", 2u, 0x1a4u, 0u);
                foreach ((NineMessage kind, object[] parts) in requests)
                    client.Try(kind, parts);
                Assert.Equal("as it was", File.ReadAllText(outside));
                Assert.Equal(2, Directory.GetFileSystemEntries(Path.GetDirectoryName(outside)!).Length);
            },
            iter: 300,
            threads: 1);
    });

    private static void InFolder(Action<NineServer, string> test)
    {
        DirectoryInfo host = Directory.CreateTempSubdirectory("minivmm-test-");
        try
        {
            string outside = Path.Combine(host.FullName, "out");
            File.WriteAllText(outside, "as it was");
            string shared = host.CreateSubdirectory("shared").FullName;
            using NineServer server = new(SharedFolder.Open(new ShareOptions { Folder = shared }));
            test(server, outside);
        }
        finally
        {
            Process.Start("rm", ["-rf", host.FullName]).WaitForExit(); // names of bytes that are no text, too
        }
    }
}
