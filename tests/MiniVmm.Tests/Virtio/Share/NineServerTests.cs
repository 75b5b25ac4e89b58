using System.Buffers.Binary;
using System.Runtime.Versioning;
using System.Text;
using MiniVmm.Host;
using MiniVmm.Sharing;
using MiniVmm.Virtio.Share;

namespace MiniVmm.Tests.Virtio.Share;

[SupportedOSPlatform("linux")]
public sealed class NineServerTests : IDisposable
{
    private const uint Write = 1;
    private const uint ReadWrite = 2;
    private const uint Exclusive = 0x80;
    private const uint Truncate = 0x200;
    private readonly DirectoryInfo _host = Directory.CreateTempSubdirectory("minivmm-test-");
    private readonly string _shared;
    private NineServer _server;
    private NineClient _client;

    public NineServerTests()
    {
        _shared = Path.Combine(_host.FullName, "shared");
        Directory.CreateDirectory(_shared);
        File.WriteAllText(Path.Combine(_host.FullName, "secret"), "secret");
        (_server, _client) = Serve(isReadOnly: false);
    }

    public void Dispose()
    {
        _server.Dispose();
        _host.Delete(recursive: true);
    }

    [Fact]
    public void A_file_is_found_looked_at_and_read()
    {
        Put("a/b.txt", "hello, guest");

        byte[] walked = _client.Walk(1, "a", "b.txt");
        byte[] attributes = _client.Ask(NineMessage.Tgetattr, 1u, 0x7fful);
        byte[] opened = _client.Ask(NineMessage.Tlopen, 1u, 0u);

        Assert.Equal((2, (byte)0x80, (byte)0), (walked[0], walked[2], walked[15])); // a folder, a file
        Assert.Equal(walked[15..28], attributes[8..21]);
        Assert.Equal(walked[15..28], opened[..13]);
        Assert.Equal(12ul, BinaryPrimitives.ReadUInt64LittleEndian(attributes.AsSpan(8 + 13 + 12 + 16)));
        Assert.Equal("hello, guest", Encoding.UTF8.GetString(_client.Read(1, 0, 1000)));
        Assert.Equal("guest", Encoding.UTF8.GetString(_client.Read(1, 7, 5)));
        Assert.Empty(_client.Read(1, 12, 5));
    }

    [Fact]
    public void A_file_is_made_written_cut_and_removed()
    {
        _client.Walk(1);
        _client.Ask(NineMessage.Tlcreate, 1u, "new", ReadWrite, 0x1a4u, 0u);
        _client.Ask(NineMessage.Twrite, 1u, 0ul, 5u, "12345"u8.ToArray());
        Assert.Equal("12345", File.ReadAllText(Host("new")));
        Assert.Equal((UnixFileMode)0x1a4, File.GetUnixFileMode(Host("new")));

        _client.Ask(NineMessage.Tsetattr, 1u, 1u << 3, 0u, 0u, 0u, 2ul, 0ul, 0ul, 0ul, 0ul);
        Assert.Equal("12", File.ReadAllText(Host("new")));

        _client.Ask(NineMessage.Tunlinkat, 0u, "new", 0u);
        Assert.False(File.Exists(Host("new")));
        Assert.Equal("12", Encoding.UTF8.GetString(_client.Read(1, 0, 10))); // still open
    }

    /// <summary>A temporary file, as programs make them: without a name from its first moment on.</summary>
    [Fact]
    public void A_file_without_a_name_is_cut_changed_and_looked_at_by_the_fid_that_has_it_open()
    {
        _client.Walk(1);
        _client.Ask(NineMessage.Tlcreate, 1u, "new", ReadWrite, 0x1a4u, 0u);
        _client.Ask(NineMessage.Twrite, 1u, 0ul, 5u, "12345"u8.ToArray());
        _client.Ask(NineMessage.Tunlinkat, 0u, "new", 0u);

        SetSize(1, 2);
        _client.Ask(NineMessage.Tsetattr, 1u, 1u, 0x100u, 0u, 0u, 0ul, 0ul, 0ul, 0ul, 0ul); // the mode
        _client.Ask(NineMessage.Tsetattr, 1u, 1u << 5 | 1u << 8, 0u, 0u, 0u, 0ul, 0ul, 0ul, 1000ul, 0ul); // when it was written
        SetSize(1, 4); // its mode is no matter to who has it open for writing

        Assert.Equal("12\0\0", Encoding.UTF8.GetString(_client.Read(1, 0, 10)));
        byte[] attributes = _client.Ask(NineMessage.Tgetattr, 1u, 0x7fful);
        Assert.Equal(0x8100u, BinaryPrimitives.ReadUInt32LittleEndian(attributes.AsSpan(21)));
        Assert.NotEmpty(_client.Ask(NineMessage.Tstatfs, 1u));
    }

    [Fact]
    public void A_file_that_the_host_has_replaced_is_cut_itself_and_not_what_has_its_name_now()
    {
        Put("log", "old text");
        _client.Walk(1, "log");
        _client.Ask(NineMessage.Tlopen, 1u, Write);
        Put("log.new", "new text");
        File.Move(Host("log.new"), Host("log"), overwrite: true); // as editors save

        SetSize(1, 0);

        Assert.Equal("new text", File.ReadAllText(Host("log")));
        Assert.Equal(0ul, BinaryPrimitives.ReadUInt64LittleEndian(_client.Ask(NineMessage.Tgetattr, 1u, 0x7fful).AsSpan(8 + 13 + 12 + 16)));
    }

    [Fact]
    public void What_is_made_has_the_mode_that_the_guest_says_and_folders_keep_their_group()
    {
        _client.Ask(NineMessage.Tmknod, 0u, "pipe", 0x1000u | 0x1b6u, 0u, 0u, 0u); // 0666
        _client.Ask(NineMessage.Tmknod, 0u, "empty", 0x8000u | 0x1b6u, 0u, 0u, 0u);
        _client.Ask(NineMessage.Tmkdir, 0u, "folder", 0x400u | 0x1ffu, 0u); // 02777
        _client.Walk(1, "empty");
        _client.Ask(NineMessage.Tsetattr, 1u, 1u, 0x400u | 0x800u | 0x1a4u, 0u, 0u, 0ul, 0ul, 0ul, 0ul, 0ul);

        Assert.Equal((UnixFileMode)0x1b6, File.GetUnixFileMode(Host("pipe")));
        Assert.Equal((UnixFileMode)0x1a4, File.GetUnixFileMode(Host("empty")));
        Assert.Equal((UnixFileMode)0x5ff, File.GetUnixFileMode(Host("folder")));
    }

    [Theory]
    [InlineData(0u, 0, "old")]
    [InlineData(Exclusive, Errno.EEXIST, "old")]
    [InlineData(Truncate, 0, "")]
    public void A_file_that_is_there_is_opened_or_refused(uint flags, int error, string left)
    {
        Put("there", "old");
        _client.Walk(1);

        Assert.Equal(error, _client.Try(NineMessage.Tlcreate, 1u, "there", Write | flags, 0x1a4u, 0u).Error);
        Assert.Equal(left, File.ReadAllText(Host("there")));
    }

    [Fact]
    public void A_folder_is_read_in_pieces_each_name_once()
    {
        string[] names = [.. Enumerable.Range(0, 300).Select(i => $"file {i} ä")];
        foreach (string name in names)
            Put(name, "");
        _client.Walk(1);
        _client.Ask(NineMessage.Tlopen, 1u, 0u);

        foreach (uint count in new uint[] { 50, 1000, 60_000 })
            Assert.Equal(names.Concat([".", ".."]).Order(StringComparer.Ordinal), _client.List(1, count).Order(StringComparer.Ordinal));
        Assert.Equal(Errno.EINVAL, _client.Error(NineMessage.Treaddir, 1u, 0ul, 20u)); // no room for one
        Assert.Equal(Errno.EISDIR, _client.Error(NineMessage.Tread, 1u, 0ul, 20u));
    }

    [Fact]
    public void Folders_links_and_second_names_are_made()
    {
        Put("file", "x");
        _client.Walk(1, "file");

        Assert.Equal(0x80, _client.Ask(NineMessage.Tmkdir, 0u, "folder", 0x1c0u, 0u)[0]);
        Assert.Equal(0x02, _client.Ask(NineMessage.Tsymlink, 0u, "link", "../secret", 0u)[0]);
        _client.Ask(NineMessage.Tlink, 0u, 1u, "second");
        _client.Ask(NineMessage.Tmknod, 0u, "pipe", 0x1000u | 0x1a4u, 0u, 0u, 0u);

        _client.Walk(2, "link");
        Assert.Equal("../secret", Encoding.UTF8.GetString(_client.Ask(NineMessage.Treadlink, 2u)[2..]));
        Assert.Equal(Errno.EINVAL, _client.Error(NineMessage.Treadlink, 1u));
        Assert.Equal((UnixFileMode)0x1c0, File.GetUnixFileMode(Host("folder")));
        Assert.Equal("x", File.ReadAllText(Host("second")));
        Assert.True(File.Exists(Host("pipe")));
    }

    [Fact]
    public void What_is_below_a_renamed_folder_goes_along()
    {
        Put("a/b/c", "deep");
        _client.Walk(1, "a", "b", "c");
        _client.Walk(2, "a");
        _client.Ask(NineMessage.Tmkdir, 0u, "x", 0x1c0u, 0u);
        _client.Walk(3, "x");

        _client.Ask(NineMessage.Trenameat, 0u, "a", 3u, "y");
        _client.Ask(NineMessage.Tlopen, 1u, 0u);
        Assert.Equal("deep", Encoding.UTF8.GetString(_client.Read(1, 0, 10)));
        Assert.True(File.Exists(Host("x/y/b/c")));

        _client.Ask(NineMessage.Trename, 2u, 0u, "back");
        Assert.True(File.Exists(Host("back/b/c")));
        Assert.Equal(Errno.EINVAL, _client.Error(NineMessage.Trenameat, 0u, "back", 2u, "inside"));
    }

    [Fact]
    public void What_lost_its_name_is_gone_and_the_name_may_be_anothers()
    {
        Put("a", "first");
        Put("b", "second");
        _client.Walk(1, "a");
        _client.Walk(2, "b");

        _client.Ask(NineMessage.Trenameat, 0u, "b", 0u, "a");

        Assert.Equal(Errno.ENOENT, _client.Error(NineMessage.Tgetattr, 1u, 0x7fful));
        _client.Ask(NineMessage.Tlopen, 2u, 0u);
        Assert.Equal("second", Encoding.UTF8.GetString(_client.Read(2, 0, 10)));
        _client.Ask(NineMessage.Tremove, 2u);
        Assert.Equal(Errno.EBADF, _client.Error(NineMessage.Tclunk, 2u)); // gone with it
        Assert.Equal(Errno.ENOENT, _client.Error(NineMessage.Twalk, 0u, 3u, (ushort)1, "a"));
    }

    [Fact]
    public void A_walk_tells_how_far_it_came()
    {
        Put("a/b", "");

        byte[] walked = _client.Walk(1, "a", "nothing", "b");

        Assert.Equal((2 + 13, (byte)1), (walked.Length, walked[0]));
        Assert.Equal(Errno.EBADF, _client.Error(NineMessage.Tclunk, 1u)); // no fid was made
        Assert.Equal(Errno.ENOENT, _client.Error(NineMessage.Twalk, 0u, 1u, (ushort)1, "nothing"));
        Assert.Equal(Errno.EBADF, _client.Error(NineMessage.Twalk, 0u, uint.MaxValue, (ushort)0));
        Assert.Equal(Errno.EINVAL, _client.Error(NineMessage.Twalk, 0u, 1u, (ushort)2, "a")); // one name is missing
    }

    [Fact]
    public void Nothing_outside_the_folder_can_be_had()
    {
        Put("inside", "");
        File.CreateSymbolicLink(Host("out"), "../secret");
        File.CreateSymbolicLink(Host("up"), "..");
        byte[] itself = _client.Ask(NineMessage.Tgetattr, 0u, 0x7fful);

        _client.Walk(1, "..", "..");
        Assert.Equal(itself, _client.Ask(NineMessage.Tgetattr, 1u, 0x7fful));
        foreach (string name in new[] { "../secret", "/etc/passwd", ".", "", "a\0b", new string('x', 256) })
            Assert.Equal(Errno.ENOENT, _client.Error(NineMessage.Twalk, 0u, 2u, (ushort)1, name));
        _client.Walk(2, "out");
        Assert.Equal(Errno.ELOOP, _client.Error(NineMessage.Tlopen, 2u, 0u));
        Assert.Equal(Errno.EOPNOTSUPP, _client.Error(NineMessage.Tsetattr, 2u, 1u, 0x1ffu, 0u, 0u, 0ul, 0ul, 0ul, 0ul, 0ul));
        Assert.Equal(Errno.EINVAL, _client.Error(NineMessage.Tsetattr, 2u, 8u, 0u, 0u, 0u, 0ul, 0ul, 0ul, 0ul, 0ul));
        byte[] walked = _client.Walk(3, "up", "secret"); // the link is there, and leads nowhere
        Assert.Equal(1, walked[0]);
        _client.Walk(4);
        Assert.Equal(Errno.ELOOP, _client.Error(NineMessage.Tlcreate, 4u, "out", Write, 0x1a4u, 0u));
        foreach (string name in new[] { "../new", "up/new", ".." })
        {
            Assert.Equal(Errno.EINVAL, _client.Error(NineMessage.Tlcreate, 4u, name, Write, 0x1a4u, 0u));
            Assert.Equal(Errno.EINVAL, _client.Error(NineMessage.Tmkdir, 0u, name, 0x1c0u, 0u));
            Assert.Equal(Errno.EINVAL, _client.Error(NineMessage.Trenameat, 0u, "inside", 0u, name));
            Assert.Equal(Errno.EINVAL, _client.Error(NineMessage.Tunlinkat, 0u, name, 0u));
        }

        Assert.Equal(["secret", "shared"], _host.EnumerateFileSystemInfos().Select(entry => entry.Name).Order());
        Assert.Equal("secret", File.ReadAllText(Path.Combine(_host.FullName, "secret")));
    }

    [Fact]
    public void A_folder_that_became_a_link_meanwhile_leads_nowhere()
    {
        Put("a/secret", "inside");
        _client.Walk(1, "a", "secret");
        Directory.Move(Host("a"), Host("b"));
        File.CreateSymbolicLink(Host("a"), "..");

        Assert.Equal(Errno.ELOOP, _client.Error(NineMessage.Tlopen, 1u, 0u));
        Assert.Equal(Errno.ELOOP, _client.Error(NineMessage.Tgetattr, 1u, 0x7fful));
    }

    [Fact]
    public void Only_files_and_folders_are_opened_and_no_devices_made()
    {
        _client.Ask(NineMessage.Tmknod, 0u, "pipe", 0x1000u | 0x1a4u, 0u, 0u, 0u);
        _client.Walk(1, "pipe");
        _client.Walk(2);

        Assert.Equal(Errno.ENXIO, _client.Error(NineMessage.Tlopen, 1u, 0u));
        Assert.Equal(Errno.ENXIO, _client.Error(NineMessage.Tlcreate, 2u, "pipe", Write, 0x1a4u, 0u));
        Assert.Equal(Errno.EPERM, _client.Error(NineMessage.Tmknod, 0u, "null", 0x2000u | 0x1a4u, 1u, 3u, 0u));
        Assert.Equal(Errno.EPERM, _client.Error(NineMessage.Tmknod, 0u, "disk", 0x6000u | 0x1a4u, 8u, 0u, 0u));
        _client.Ask(NineMessage.Tlcreate, 2u, "program", Write, 0xfffu, 0u);
        Assert.Equal((UnixFileMode)0x3ff, File.GetUnixFileMode(Host("program"))); // without set-user-ID and set-group-ID
    }

    [Fact]
    public void In_a_read_only_folder_nothing_changes()
    {
        Put("file", "x");
        (_server, _client) = Serve(isReadOnly: true);
        _client.Walk(1, "file");
        _client.Walk(2);
        _client.Walk(3, "file");
        _client.Ask(NineMessage.Tlopen, 3u, 0u);

        int[] errors =
        [
            _client.Error(NineMessage.Tlopen, 1u, Write),
            _client.Error(NineMessage.Tlopen, 1u, Truncate),
            _client.Error(NineMessage.Tlcreate, 2u, "new", 0u, 0x1a4u, 0u),
            _client.Error(NineMessage.Tsetattr, 1u, 1u, 0u, 0u, 0u, 0ul, 0ul, 0ul, 0ul, 0ul),
            _client.Error(NineMessage.Tmkdir, 0u, "new", 0x1c0u, 0u),
            _client.Error(NineMessage.Tmknod, 0u, "new", 0x81a4u, 0u, 0u, 0u),
            _client.Error(NineMessage.Tsymlink, 0u, "new", "x", 0u),
            _client.Error(NineMessage.Tlink, 0u, 1u, "new"),
            _client.Error(NineMessage.Trenameat, 0u, "file", 0u, "new"),
            _client.Error(NineMessage.Trename, 1u, 0u, "new"),
            _client.Error(NineMessage.Tunlinkat, 0u, "file", 0u),
            _client.Error(NineMessage.Twrite, 3u, 0ul, 1u, new byte[1]),
            _client.Error(NineMessage.Tremove, 1u),
        ];

        Assert.All(errors, error => Assert.Equal(Errno.EROFS, error));
        Assert.Equal("x", File.ReadAllText(Host("file")));
    }

    [Fact]
    public void Fids_are_limited()
    {
        (_server, _client) = Serve(isReadOnly: false, mostNames: 10);
        for (uint fid = 1; fid < 10; fid++)
            _client.Walk(fid);
        Assert.Equal(Errno.ENFILE, _client.Error(NineMessage.Twalk, 0u, 10u, (ushort)0));
        _client.Begin(); // a new session has none of them
        _client.Walk(1);
    }

    [Fact]
    public void Names_that_fids_hold_are_limited_and_given_back_with_them()
    {
        Put("a/b/c/d/e/f", "");
        Put("a/b/c/D", "");
        (_server, _client) = Serve(isReadOnly: false, mostNames: 6);

        _client.Walk(1, "a", "b", "c", "d", "e", "f");
        _client.Walk(2, "a", "b"); // held already
        Assert.Equal(Errno.ENFILE, _client.Error(NineMessage.Twalk, 0u, 3u, (ushort)1, "x"));
        _client.Walk(3, "a", "b", "c", "d", "e");
        _client.Ask(NineMessage.Tunlinkat, 3u, "f", 0u); // which has no place any more, but is held
        Assert.Equal(Errno.ENFILE, _client.Error(NineMessage.Twalk, 0u, 4u, (ushort)1, "x"));
        _client.Ask(NineMessage.Tclunk, 1u);
        _client.Ask(NineMessage.Tclunk, 3u);
        _client.Walk(1, "a", "b", "c", "d", "e");
        _client.Walk(3, "a", "b", "c", "D");
        Assert.Equal(Errno.ENFILE, _client.Error(NineMessage.Twalk, 0u, 4u, (ushort)1, "x"));
    }

    [Fact]
    public void Files_that_the_process_needs_itself_are_not_for_the_guest()
    {
        Put("file", "x");
        (_server, _client) = Serve(isReadOnly: false, firstReservedFile: 0);
        _client.Walk(1, "file");
        _client.Walk(2);

        Assert.Equal(Errno.EMFILE, _client.Error(NineMessage.Tlopen, 1u, 0u));
        Assert.Equal(Errno.EMFILE, _client.Error(NineMessage.Tlcreate, 2u, "new", Write, 0x1a4u, 0u));
        Assert.Equal(0x80, _client.Ask(NineMessage.Tgetattr, 2u, 0x7fful)[8]); // still the folder
    }

    [Fact]
    public void Without_an_agreement_nothing_is_answered()
    {
        using NineServer server = new(SharedFolder.Open(new() { Folder = _shared }));
        NineClient client = new(server);

        Assert.Equal(Errno.EPROTO, client.Error(NineMessage.Tattach, 0u, uint.MaxValue, "root", "", 0u));
        Assert.Equal(Errno.EINVAL, client.Error(NineMessage.Tversion, 100u, "9P2000.L"));
        Assert.Equal("unknown", Encoding.UTF8.GetString(client.Ask(NineMessage.Tversion, 8192u, "9P2000.u")[6..]));
        Assert.Equal(Errno.EPROTO, client.Error(NineMessage.Tattach, 0u, uint.MaxValue, "root", "", 0u));
        Assert.Equal(8192u, BinaryPrimitives.ReadUInt32LittleEndian(client.Ask(NineMessage.Tversion, 8192u, "9P2000.L")));
        Assert.Equal((uint)NineServer.LongestMessage, BinaryPrimitives.ReadUInt32LittleEndian(client.Ask(NineMessage.Tversion, uint.MaxValue, "9P2000.L")));
        Assert.Equal(Errno.EOPNOTSUPP, client.Error(NineMessage.Tauth, 0u));
        Assert.Equal(Errno.EOPNOTSUPP, client.Error((NineMessage)200));
    }

    [Fact]
    public void What_every_mount_asks_for_is_told()
    {
        Put("file", "x");
        _client.Walk(1, "file");
        _client.Ask(NineMessage.Tlopen, 1u, ReadWrite);

        byte[] system = _client.Ask(NineMessage.Tstatfs, 0u);
        Assert.Equal(4 + 4 + 6 * 8 + 4, system.Length);
        Assert.Equal(255u, BinaryPrimitives.ReadUInt32LittleEndian(system.AsSpan(56)));
        _client.Ask(NineMessage.Tfsync, 1u, 0u);
        _client.Ask(NineMessage.Tfsync, 1u, 1u);
        Assert.Equal([0], _client.Ask(NineMessage.Tlock, 1u, (byte)1, 0u, 0ul, 0ul, 1u, "guest"));
        Assert.Equal(2, _client.Ask(NineMessage.Tgetlock, 1u, (byte)1, 0ul, 0ul, 1u, "guest")[0]);
        Assert.Equal(Errno.EOPNOTSUPP, _client.Error(NineMessage.Txattrwalk, 1u, 2u, "security.capability"));
        _client.Ask(NineMessage.Tflush, (ushort)7);
    }

    [Fact]
    public void Times_and_permissions_are_set()
    {
        Put("file", "x");
        _client.Walk(1, "file");

        _client.Ask(NineMessage.Tsetattr, 1u, 0x1u | 0x10 | 0x20 | 0x80 | 0x100, 0x180u, 0u, 0u, 0ul, 1000ul, 5ul, 2000ul, 7ul);

        Assert.Equal((UnixFileMode)0x180, File.GetUnixFileMode(Host("file")));
        Assert.Equal(DateTime.UnixEpoch.AddSeconds(2000), File.GetLastWriteTimeUtc(Host("file")), TimeSpan.FromMicroseconds(1));
        byte[] attributes = _client.Ask(NineMessage.Tgetattr, 1u, 0x7fful);
        Assert.Equal(1000ul, BinaryPrimitives.ReadUInt64LittleEndian(attributes.AsSpan(8 + 13 + 12 + 5 * 8)));
    }

    private (NineServer Server, NineClient Client) Serve(
        bool isReadOnly, int mostNames = NineServer.MostNames, int firstReservedFile = int.MaxValue)
    {
        _server?.Dispose();
        NineServer server = new(SharedFolder.Open(new() { Folder = _shared, ReadOnly = isReadOnly }), mostNames, firstReservedFile);
        NineClient client = new(server);
        client.Begin();
        return (server, client);
    }

    private void SetSize(uint fid, ulong size) =>
        _client.Ask(NineMessage.Tsetattr, fid, 1u << 3, 0u, 0u, 0u, size, 0ul, 0ul, 0ul, 0ul);

    private string Host(string name) => Path.Combine(_shared, name);

    private void Put(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Host(name))!);
        File.WriteAllText(Host(name), text);
    }
}
