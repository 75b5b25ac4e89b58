using MiniVmm.Storage;
using MiniVmm.Storage.Qcow2;

namespace MiniVmm.Tests.Storage.Qcow2;

public sealed class BackingChainTests : IDisposable
{
    private readonly QemuImg _qemu = new();

    [Fact]
    public void Names_are_relative_to_the_image_that_has_them()
    {
        Directory.CreateDirectory(_qemu.PathOf("a/b"));
        byte[] contents = new byte[1 << 20];
        new Random(1).NextBytes(contents);
        File.WriteAllBytes(_qemu.PathOf("a/base"), contents);
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "a/middle");
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "../middle", "-F", "qcow2", "a/b/top");
        using Qcow2Image image = Open("a/b/top");
        new ModelDisk(image, contents).Verify();
    }

    [Fact]
    public void Behind_a_symbolic_link_names_are_relative_to_the_link_as_QEMU_has_it()
    {
        Directory.CreateDirectory(_qemu.PathOf("store"));
        Directory.CreateDirectory(_qemu.PathOf("vm"));
        byte[] contents = new byte[1 << 20];
        contents.AsSpan().Fill(0x11);
        File.WriteAllBytes(_qemu.PathOf("store/base"), contents);
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "store/disk");
        contents.AsSpan().Fill(0x22);
        File.WriteAllBytes(_qemu.PathOf("vm/base"), contents);
        File.CreateSymbolicLink(_qemu.PathOf("vm/disk"), "../store/disk");
        _qemu.Compare("vm/disk", contents);
        using (Qcow2Image image = Open("vm/disk"))
            new ModelDisk(image, contents).Verify();

        // But ".." behind a linked folder is where the host's kernel says that it is.
        Directory.CreateDirectory(_qemu.PathOf("store/deep"));
        Directory.CreateSymbolicLink(_qemu.PathOf("vm/deep"), "../store/deep");
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "../base", "-F", "raw", "store/deep/disk");
        contents.AsSpan().Fill(0x11);
        _qemu.Compare("vm/deep/disk", contents);
        using Qcow2Image other = Open("vm/deep/disk");
        new ModelDisk(other, contents).Verify();
    }

    [Fact]
    public void A_loop_through_a_symbolic_link_is_refused()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "-u", "-b", "b", "-F", "qcow2", "a", "1M");
        File.CreateSymbolicLink(_qemu.PathOf("b"), "a");
        Assert.Contains("form a loop", Refusal("a"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_backing_file_may_be_read_by_several_and_written_by_none()
    {
        File.WriteAllBytes(_qemu.PathOf("base"), new byte[1 << 20]);
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "one");
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "two");
        using Qcow2Image one = Open("one");
        using Qcow2Image two = Open("two");
        Assert.Throws<BadInputException>(
            () => DiskFile.Open(_qemu.PathOf("base"), readOnly: false, DiskCache.WriteBack).Dispose());
    }

    [Fact]
    public void A_loop_is_refused()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "a", "1M");
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "a", "-F", "qcow2", "b");
        _qemu.Run("rebase", "-q", "-u", "-b", "b", "-F", "qcow2", "a");
        Assert.Contains("form a loop", Refusal("b"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_chain_that_is_too_long_is_refused()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "i0", "1M");
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "BACKING", "-F", "qcow2", "-u", "template", "1M");
        byte[] template = File.ReadAllBytes(_qemu.PathOf("template"));
        int at = template.AsSpan().IndexOf("BACKING"u8);
        for (int i = 1; i <= 34; i++)
        {
            System.Text.Encoding.ASCII.GetBytes(Name(i - 1)).CopyTo(template, at);
            File.WriteAllBytes(_qemu.PathOf(Name(i)), template);
        }

        File.Move(_qemu.PathOf("i0"), _qemu.PathOf(Name(0)));
        using (Open(Name(30)))
        {
        }

        Assert.Contains("more than 32", Refusal(Name(34)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nbd://host/disk", "not the name of a local file")]
    [InlineData("json:{}", "not the name of a local file")]
    [InlineData("missing", "no such file")]
    [InlineData("/dev/zero", "neither a file nor a block device")]
    [InlineData("/tmp", "is a directory")]
    public void What_is_no_file_is_refused(string name, string words)
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "-u", "-b", name, "-F", "raw", "top", "1M");
        Assert.Contains(words, Refusal("top"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_to_be_put_back_or_given_its_new_name_and_never_made()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "-u", "-b", "gone/base", "-F", "raw", "top", "1M");

        string message = Refusal("top");

        string above = _qemu.PathOf("top");
        Assert.Contains($"backing file {_qemu.PathOf("gone/base")}: no such file; {above} refers to it as 'gone/base'", message);
        Assert.Contains($"put it back or, if it was moved, give its new name with `qemu-img rebase -u -b NEW -F raw {above}`", message);
        Assert.DoesNotContain("create", message);
        Assert.DoesNotContain("truncate", message);
    }

    [Fact]
    public void A_foreign_image_below_is_taken_for_raw_only_if_it_is_named_so()
    {
        _qemu.Run("create", "-q", "-f", "vdi", "base", "1M");
        _qemu.Run("create", "-q", "-f", "qcow2", "-u", "-b", "base", "-F", "raw", "top", "1M");
        Open("top").Dispose();
        byte[] top = File.ReadAllBytes(_qemu.PathOf("top"));
        top[top.AsSpan().IndexOf(new byte[] { 0xe2, 0x79, 0x2a, 0xca })] = 0x11; // an extension nobody knows
        File.WriteAllBytes(_qemu.PathOf("top"), top);

        // An option says the format of the topmost image alone: as raw, that would be overwritten.
        string message = Refusal("top");
        Assert.Contains("is a VirtualBox disk", message);
        Assert.EndsWith($", and put that below with `qemu-img rebase -u -b NEW -F FORMAT {_qemu.PathOf("top")}`", message);
        Assert.DoesNotContain("format=raw", message);
    }

    [Fact]
    public void A_raw_image_below_that_is_called_qcow2_is_to_be_called_raw_and_not_the_one_above()
    {
        File.WriteAllBytes(_qemu.PathOf("base"), new byte[1 << 20]);
        _qemu.Run("create", "-q", "-f", "qcow2", "-u", "-b", "base", "-F", "qcow2", "top", "1M");

        string message = Refusal("top");

        Assert.EndsWith($"if it is a raw one, correct that with `qemu-img rebase -u -b base -F raw {_qemu.PathOf("top")}`", message);
        Assert.DoesNotContain("format=raw", message);
    }

    [Fact]
    public void Another_format_is_refused()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "-u", "-b", "x", "-F", "vmdk", "top", "1M");
        File.WriteAllBytes(_qemu.PathOf("x"), new byte[512]);
        Assert.Contains("has the format vmdk", Refusal("top"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_guessed_format_does_not_lead_to_other_files()
    {
        File.WriteAllText(_qemu.PathOf("secret"), "of the host");
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "secret", "-F", "raw", "-u", "disk", "1M");
        _qemu.Run("create", "-q", "-f", "qcow2", "-b", "disk", "-F", "qcow2", "-u", "top", "1M");
        byte[] top = File.ReadAllBytes(_qemu.PathOf("top"));

        // As older versions of qemu-img made it: without the format.
        int extension = top.AsSpan().IndexOf(new byte[] { 0xe2, 0x79, 0x2a, 0xca });
        top[extension] = 0x11;
        File.WriteAllBytes(_qemu.PathOf("top"), top);
        Assert.Contains("only guessed", Refusal("top"), StringComparison.Ordinal);
    }

    public void Dispose() => _qemu.Dispose();

    private static string Name(int i) => $"image{i:d2}";

    private string Refusal(string name) => Assert.Throws<BadInputException>(() => Open(name).Dispose()).Message;

    private Qcow2Image Open(string name)
    {
        DiskFile file = DiskFile.Open(_qemu.PathOf(name), readOnly: false, DiskCache.WriteBack);
        try
        {
            return Qcow2Image.Open(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
