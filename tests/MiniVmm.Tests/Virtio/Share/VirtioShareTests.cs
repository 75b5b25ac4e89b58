using MiniVmm.Sharing;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Share;

namespace MiniVmm.Tests.Virtio.Share;

public sealed class VirtioShareTests : IDisposable
{
    private const ushort QueueSize = 16;
    private readonly DirectoryInfo _host = Directory.CreateTempSubdirectory("minivmm-test-");
    private readonly TestMemory _memory = new();
    private readonly FakeInterrupt _interrupt = new();
    private readonly FakeLoop _loop = new();
    private readonly VirtioShare _share;
    private readonly TestDriver _driver;

    public VirtioShareTests()
    {
        _share = new(SharedFolder.Open(new() { Folder = _host.FullName }), "wörk");
        _driver = new TestDriver(_memory, QueueSize);
        _share.Attach(_interrupt, [_loop]);
        _share.Activate((ulong)VirtioFeatures.Version1, [_driver.Enable()]);
    }

    public void Dispose()
    {
        _share.Dispose();
        _memory.Dispose();
        _host.Delete(recursive: true);
    }

    [Fact]
    public void It_tells_its_tag()
    {
        byte[] configuration = new byte[10];
        _share.ReadConfiguration(0, configuration);
        Assert.Equal([5, 0, .. "wörk"u8, 0, 0, 0], configuration);
        _share.ReadConfiguration(4, configuration.AsSpan(0, 2));
        Assert.Equal("ö"u8[1..].ToArray().Append((byte)'r'), configuration[..2]);
        _share.ReadConfiguration(uint.MaxValue, configuration);
        Assert.Equal(new byte[10], configuration);
        Assert.Equal((9u, 1ul), (_share.DeviceType, _share.Features));
    }

    [Fact]
    public void Requests_and_answers_may_lie_in_pieces()
    {
        byte[] request = NineClient.Request(NineMessage.Tversion, 8192u, "9P2000.L");
        ulong first = _memory.Place(request.AsSpan(0, 5));
        ulong second = _memory.Place(request.AsSpan(5));
        ulong[] answer = [_memory.Allocate(3), _memory.Allocate(100)];
        _driver.Add(
            TestBuffer.Readable(first, 5), TestBuffer.Readable(second, request.Length - 5),
            TestBuffer.Writable(answer[0], 3), TestBuffer.Writable(answer[1], 100));

        _share.Notify(0);

        Assert.True(_driver.TryReap(out _, out uint written));
        Assert.Equal(21u, written);
        Assert.Equal([21, 0, 0], _memory.Bytes(answer[0], 3).ToArray());
        Assert.Equal([0, (byte)NineMessage.Tversion + 1, 0x34, 0x12], _memory.Bytes(answer[1], 4).ToArray());
        Assert.Equal(1L, _share.ReadCounters()["requests"]);
    }

    [Fact]
    public void An_answer_is_announced_before_the_next_request_which_may_wait_for_a_disk()
    {
        byte[] request = NineClient.Request(NineMessage.Tversion, 8192u, "9P2000.L");
        for (int i = 0; i < 2; i++)
        {
            _driver.Add(
                TestBuffer.Readable(_memory.Place(request), request.Length), TestBuffer.Writable(_memory.Allocate(100), 100));
        }

        _share.Notify(0);

        Assert.Equal(2, _interrupt.Used(0));
    }

    [Theory]
    [InlineData(3, 100)] // no header
    [InlineData(19, 5)] // no room for an answer
    public void A_chain_that_is_no_request_comes_back_empty(int length, int room)
    {
        byte[] request = NineClient.Request(NineMessage.Tversion, 8192u, "9P2000.L");
        _driver.Add(TestBuffer.Readable(_memory.Place(request.AsSpan(0, length)), length), TestBuffer.Writable(_memory.Allocate(room), room));

        _share.Notify(0);

        Assert.True(_driver.TryReap(out _, out uint written));
        Assert.Equal(0u, written);
    }

    [Fact]
    public void What_is_no_folder_is_refused()
    {
        string file = Path.Combine(_host.FullName, "file");
        File.WriteAllText(file, "");

        Assert.Equal($"Share {file}: not a folder", Assert.Throws<BadInputException>(() => SharedFolder.Open(new() { Folder = file })).Message);
        Assert.Equal("Share /no/where: no such folder", Assert.Throws<BadInputException>(() => SharedFolder.Open(new() { Folder = "/no/where" })).Message);
    }
}
