namespace MiniVmm.Lab.Tests;

/// <summary>Folders of the host's that Linux mounts by 9P.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class ShareTests
{
    [Fact]
    public async Task Linux_works_in_a_folder_of_the_hosts()
    {
        await LabHost.ShellAsync("""
            rm -rf /tmp/share && mkdir -p /tmp/share/folder /tmp/readonly && echo hello >/tmp/share/file
            head -c 3000000 /dev/urandom >/tmp/share/large && ln -s /proc/cmdline /tmp/share/outside && echo fixed >/tmp/readonly/file
            """);
        string large = (await LabHost.ShellAsync("sha256sum </tmp/share/large")).Trim();
        await using GuestShell guest = await GuestShell.StartWithSharesAsync(
            "share", "--mem", "192M", "--virtio", "pci", "--share", "/tmp/share", "--share", "/tmp/readonly,tag=fixed,ro");
        await guest.RunAsync("mkdir /a /b && mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share0 /a && mount -t 9p -o trans=virtio fixed /b");

        Assert.Equal("hello", await guest.RunAsync("cat /a/file"));
        Assert.Equal(large, await guest.RunAsync("sha256sum </a/large"));
        await guest.RunAsync("mkdir /a/new && echo written >/a/new/f && mv /a/new /a/folder/moved && ln -s ../file /a/folder/link && chmod 600 /a/folder/moved/f");
        Assert.Equal("hello", await guest.RunAsync("cat /a/folder/link"));
        Assert.Equal("500", await guest.RunAsync("mkdir /a/many && for i in $(seq 500); do echo $i >/a/many/$i; done; ls /a/many | wc -l"));
        Assert.Equal("1024000", await guest.RunAsync("dd if=/dev/zero of=/a/zero bs=10k count=100 2>/dev/null; rm -r /a/many; stat -c %s /a/zero"));
        Assert.Contains("lab.do=obey", await guest.RunAsync("cat /a/outside")); // the guest's own, as the link says
        Assert.Equal("fixed", await guest.RunAsync("cat /b/file"));
        (int status, string refused) = await guest.TryAsync("echo x >/b/file");
        Assert.NotEqual(0, status);
        Assert.Contains("Read-only file system", refused);
        await guest.RunAsync("umount /a /b");
        await guest.PowerOffAsync();

        Assert.Equal(
            "written\n600 0 0\nhello\n0\n",
            await LabHost.ShellAsync("cat /tmp/share/folder/moved/f; stat -c '%a %u %g' /tmp/share/folder/moved/f; cat /tmp/share/folder/link; ls /tmp/share/many 2>/dev/null | wc -l"));
    }
}
