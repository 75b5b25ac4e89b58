using CsCheck;
using MiniVmm.Boot;
using MiniVmm.Boot.Media;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Boot.Media;

public sealed class ConfigurationTests
{
    private static BootMenu Grub(string text, params (string Path, string Text)[] files) =>
        GrubConfiguration.Parse(text, path => files.FirstOrDefault(file => file.Path == path).Text);

    private static MenuEntry Default(BootMenu menu) => menu.Choose("image", null);

    [Fact]
    public void A_grub_entry_has_kernel_words_and_modules()
    {
        MenuEntry entry = Assert.Single(Grub("""
            insmod multiboot2 ; set timeout=0
            menuentry "My 'OS'" --class os --id mine {
                # a comment
                multiboot2 --quirk-bad-kludge ($root)/boot/kernel one "two  three" fo\
            ur
                module2 /boot/a.img its words ; module2 (hd0,msdos1)/b.img
                boot
            }
            """).Entries);

        Assert.Equal(("My 'OS'", "mine", BootProtocol.Multiboot2), (entry.Title, entry.Id, entry.Protocol));
        Assert.Equal(new MenuFile("/boot/kernel", "one two  three four"), entry.Kernel);
        Assert.Equal([new("/boot/a.img", "its words"), new("/b.img", "")], entry.Modules);
    }

    [Fact]
    public void Variables_conditions_functions_and_other_files_of_grub_are_understood()
    {
        BootMenu menu = Grub(
            """
            set default="1"
            function load_video { insmod vbe; set default=7; }
            for x in a b; do set default=8; done
            if [ -f /there ]; then set kernel=/right
            else set kernel=/wrong; fi
            if [ "$kernel" != /right ]; then
              if true; then set kernel=/wrong; fi
              menuentry hidden { linux /hidden }
            elif [ ! -e /missing ]; then
              set words='quiet $x'
            else
              set kernel=/wrong
            fi
            source ${prefix}/more.cfg
            menuentry 'Second' { linux ${kernel} $words $nothing; initrd /a /b }
            """,
            ("/there", ""), ("/boot/grub/more.cfg", "menuentry First { multiboot /first }"));

        Assert.Equal(["First", "Second"], menu.Entries.Select(entry => entry.Title));
        MenuEntry second = Default(menu);
        Assert.Equal((new MenuFile("/right", "quiet $x"), BootProtocol.Linux), (second.Kernel!.Value, second.Protocol));
        Assert.Equal(["/a", "/b"], second.Initrds);
    }

    [Fact]
    public void Entries_in_submenus_have_both_titles_and_commands_without_a_menu_are_an_entry()
    {
        BootMenu menu = Grub("submenu 'Old ones' {\n menuentry 'One'\n{\n linux /one\n}\n}\nset default='Old ones>One'");
        Assert.Equal("Old ones>One", Default(menu).Title);

        Assert.Equal("/kernel", Default(Grub("multiboot /kernel\nboot")).Kernel?.Path);
    }

    /// <summary>Numbers are those of a menu: a submenu is one entry of it.</summary>
    [Theory]
    [InlineData("2", "After")]
    [InlineData("1>1", "Old>Two")]
    [InlineData("old>two", "Old>Two")]
    [InlineData("Old>1", "Old>Two")]
    [InlineData("old", "Old>One")]
    [InlineData("Old>Deep>0", "Old>Deep>Three")]
    [InlineData("1>1>1", "First")]
    [InlineData("none>two", "First")]
    [InlineData("", "First")]
    public void The_default_of_grub_is_found_through_its_menus(string wanted, string title)
    {
        BootMenu menu = Grub(
            $$"""
            menuentry First { linux /a }
            submenu Old --id old {
              menuentry One { linux /b }
              menuentry Two --id=two { linux /c }
              source /more.cfg
            }
            if [ -e /more.cfg -a a = b ]; then menuentry hidden { linux /h }; fi
            if [ a = b -o -e /more.cfg ]; then menuentry After { linux /d }; fi
            set default="{{wanted}}"
            """,
            ("/more.cfg", "submenu Deep { menuentry Three { linux /e } }"));

        Assert.Equal(["First", "Old>One", "Old>Two", "Old>Deep>Three", "After"], menu.Entries.Select(entry => entry.Title));
        Assert.Equal(title, Default(menu).Title);
    }

    /// <summary>What a menu shows at first counts: nothing in a folder without a plus.</summary>
    [Theory]
    [InlineData("1", "Closed>a")]
    [InlineData("2", "Open>b")]
    [InlineData("3", "Open>b")]
    [InlineData("4", "Open>Closed too>c")]
    [InlineData("5", "Last")]
    [InlineData("0", "Closed>a")]
    public void The_default_of_limine_is_a_line_of_its_menu(string wanted, string title) => Assert.Equal(title, Default(LimineConfiguration.Parse(
        $"default_entry: {wanted}\n/Closed\n//a\npath: boot():/a\n/+Open\n//b\npath: boot():/b\n//Closed too\n///c\npath: boot():/c\n/Last\npath: boot():/d\n",
        isOld: false)).Title);

    [Theory]
    [InlineData("set default=1", null, "b")]
    [InlineData("set default=beta", null, "b")]
    [InlineData("set default=9", null, "a")]
    [InlineData("", "2", "b")]
    [InlineData("", "B", "b")]
    [InlineData("", "beta", "b")]
    [InlineData("set default=1", "1", "a")]
    public void An_entry_is_chosen_by_number_name_or_id(string line, string? choice, string title)
    {
        BootMenu menu = Grub(line + "\nmenuentry a { linux /a }\nmenuentry b --id=beta { linux /b }");

        Assert.Equal(title, menu.Choose("image", choice is null ? null : new(choice, null)).Title);
    }

    /// <summary>A word that is no command and has a = in it sets a variable; Debian's grub.cfg has the option for ids by one.</summary>
    [Theory]
    [InlineData("default=1", "b")]
    [InlineData("default='beta'; timeout=5", "b")]
    [InlineData("wanted=1\nset default=$wanted", "b")]
    [InlineData("id=beta\nif [ x$id = xbeta ]; then default=${id}; fi", "b")]
    [InlineData("=1\nset default=", "a")]
    public void A_plain_assignment_of_GRUBs_is_one(string lines, string title) => Assert.Equal(title, Default(Grub(
        $"option=\"--id\"\n{lines}\nmenuentry a $option alpha {{ linux /a }}\nmenuentry b $option 'beta' {{ linux /b }}")).Title);

    [Fact]
    public void What_an_entry_sets_holds_in_it_alone()
    {
        BootMenu menu = Grub("x=1\nmenuentry a { x=2; default=1; insmod gzio; linux /a $x }\nmenuentry b { multiboot /b $x; module /m }");

        Assert.Equal(("a", "2"), (Default(menu).Title, Default(menu).Kernel?.Words));
        Assert.Equal(("1", MenuCodecs.None), (menu.Entries[1].Kernel?.Words, menu.Entries[1].Modules[0].Unpacked));
    }

    [Fact]
    public void GRUB_unpacks_modules_by_what_it_has_loaded_for_that()
    {
        BootMenu menu = Grub(
            """
            menuentry a { multiboot /a; module /1; insmod gzio; module /2 w; module --nounzip /3 }
            insmod ($root)/boot/grub/i386-pc/xzio.mod
            menuentry b { multiboot2 /b; module2 /1; insmod gzio; module2 /2 }
            """);

        Assert.Equal(
            [new("/1", ""), new("/2", "w", MenuCodecs.Gzip), new("/3", "")], menu.Entries[0].Modules);
        Assert.Equal([MenuCodecs.Xz, MenuCodecs.Gzip | MenuCodecs.Xz], menu.Entries[1].Modules.Select(module => module.Unpacked));
    }

    [Fact]
    public void An_unknown_entry_lists_those_that_there_are()
    {
        BootMenu menu = Grub("menuentry a { linux /a }\nmenuentry 'b c' { linux /b }");

        Assert.Equal("--entry 3: os.iso has no such entry; it has 1 \"a\", 2 \"b c\"",
            Assert.Throws<BadInputException>(() => menu.Choose("os.iso", new("3", 3))).OnCommandLine());
    }

    [Fact]
    public void A_file_that_reads_itself_is_refused() =>
        Assert.Contains("deep in each other", Assert.Throws<BadInputException>(
            () => Grub("source /self", ("/self", "source /self"))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_limine_conf_has_folders_macros_and_modules()
    {
        BootMenu menu = LimineConfiguration.Parse(
            """
            # comment
            timeout: 5
            default_entry: 3
            ${WORDS}=quiet really
            /+Systems
            //First
                protocol: linux
                path: boot():/vmlinuz
            //Second
                comment: here
                protocol: limine
                path: boot():/boot/kernel#0123abcd
                cmdline: a ${WORDS} on ${ARCH}
                module_path: boot():/a.img
                module_string: its words
                module_path: guid(0123):/b.img
            /Windows
                protocol: efi
                path: boot():/x.efi
            """,
            isOld: false);

        Assert.Equal(["Systems>First", "Systems>Second", "Windows"], menu.Entries.Select(entry => entry.Title));
        MenuEntry entry = Default(menu);
        Assert.Equal((new MenuFile("/boot/kernel", "a quiet really on x86-64"), BootProtocol.Limine), (entry.Kernel!.Value, entry.Protocol));
        Assert.Equal([new("/a.img", "its words"), new("/b.img", "")], entry.Modules);
        Assert.Equal("efi", menu.Entries[2].Other);
    }

    [Fact]
    public void An_old_limine_cfg_is_read_too()
    {
        MenuEntry entry = Assert.Single(LimineConfiguration.Parse(
            "TIMEOUT=3\n:My OS\nPROTOCOL=multiboot1\nKERNEL_PATH=boot:///kernel\nCMDLINE=a=b c\nMODULE_PATH=$boot:///m.gz\nMODULE_STRING=x",
            isOld: true).Entries);

        Assert.Equal((new MenuFile("/kernel", "a=b c"), BootProtocol.Multiboot), (entry.Kernel!.Value, entry.Protocol));
        Assert.Equal([new("/m.gz", "x", MenuCodecs.Gzip)], entry.Modules);
    }

    [Fact]
    public void A_syslinux_cfg_has_labels_initial_ram_disks_and_mboot_modules()
    {
        BootMenu menu = SyslinuxConfiguration.Parse(
            """
            default vesamenu.c32
            timeout 50
            include menu.cfg
            label linux
              menu label ^Install
              kernel vmlinuz
              append initrd=/initrd.gz,more.gz quiet ---
            label xen
              kernel mboot.c32
              append /xen.gz dom0 --- vmlinuz root=x --- initrd.gz
            """,
            "/isolinux/",
            path => path == "/isolinux/menu.cfg" ? "LABEL first\n MENU DEFAULT\n LINUX /first\n INITRD a,b\n APPEND one\n" : null);

        Assert.Equal(["first", "Install", "xen"], menu.Entries.Select(entry => entry.Title));
        Assert.Equal("first", Default(menu).Title);
        Assert.Equal(["/isolinux/a", "/isolinux/b"], menu.Entries[0].Initrds);
        Assert.Equal(new MenuFile("/isolinux/vmlinuz", "initrd=/initrd.gz,more.gz quiet ---"), menu.Entries[1].Kernel);
        Assert.Equal(["/initrd.gz", "/isolinux/more.gz"], menu.Entries[1].Initrds);
        Assert.Equal(new MenuFile("/xen.gz", "dom0", MenuCodecs.Gzip), menu.Entries[2].Kernel);
        Assert.Equal(
            [new("/isolinux/vmlinuz", "root=x", MenuCodecs.Gzip), new("/isolinux/initrd.gz", "", MenuCodecs.Gzip)], menu.Entries[2].Modules);
    }

    private static BootMenu Syslinux(string text) => SyslinuxConfiguration.Parse(text, "/boot/", _ => null);

    [Theory]
    [InlineData("DEFAULT vmlinuz\nAPPEND initrd=initrd.img root=/dev/sda1", "initrd=initrd.img root=/dev/sda1")]
    [InlineData("append initrd=initrd.img a\ndefault vmlinuz b c", "initrd=initrd.img a b c")]
    [InlineData("DEFAULT vmlinuz initrd=initrd.img", "initrd=initrd.img")]
    public void A_kernel_without_a_label_has_the_words_for_all(string text, string words)
    {
        MenuEntry entry = Assert.Single(Syslinux(text).Entries);

        Assert.Equal(new MenuFile("/boot/vmlinuz", words), entry.Kernel);
        Assert.Equal(["/boot/initrd.img"], entry.Initrds);
    }

    [Fact]
    public void Labels_without_words_have_those_for_all_and_a_hyphen_is_none()
    {
        BootMenu menu = Syslinux(
            """
            INITRD ignored
            APPEND initrd=i.img all
            LABEL a
              KERNEL /k
            LABEL b
              KERNEL /k
              APPEND own
            LABEL c
              APPEND -
              KERNEL /k
            LABEL plain words
            LABEL xen
              KERNEL mboot.c32
            LABEL disk
              LOCALBOOT 0x80
            """);

        Assert.Equal(
            ["initrd=i.img all", "own", "", "initrd=i.img all", "all", null], menu.Entries.Select(entry => entry.Kernel?.Words));
        Assert.Equal([1, 0, 0, 1, 0, 0], menu.Entries.Select(entry => entry.Initrds.Count));
        Assert.Equal(("/boot/plain", "plain"), (menu.Entries[3].Kernel?.Path, menu.Entries[3].Id));
        Assert.Equal("LOCALBOOT 0x80", menu.Entries[5].Other);
        Assert.Equal("initrd=i.img all", Default(Syslinux("APPEND -\nAPPEND initrd=i.img all\nDEFAULT k")).Kernel?.Words);
    }

    [Theory]
    [InlineData("[ a = b -o a = a ]", true)]
    [InlineData("[ a = b -a a = a -o a = b ]", false)]
    [InlineData("[ a = a -o a = b -a a = b ]", true)]
    [InlineData("! [ a = a -a a = b ]", true)]
    [InlineData("[ ! a = b -a ! a = b ]", true)]
    [InlineData("[ a = b -o ]", false)]
    [InlineData("[ ]", false)]
    public void Tests_of_GRUBs_are_joined(string condition, bool holds) => Assert.Equal(
        holds ? "yes" : "no",
        Default(Grub($"if {condition}; then menuentry yes {{ linux /a }}; else menuentry no {{ linux /b }}; fi")).Title);

    [Theory]
    [InlineData("a = b -o ", "[ ")]
    [InlineData("! ", "")]
    [InlineData("! ", "[ ")]
    public void A_condition_of_any_length_is_no_trouble(string part, string before) => Assert.Equal(
        "b",
        Default(Grub($"if {before}{string.Concat(Enumerable.Repeat(part, 100_000))}a = a ]; then menuentry a {{ linux /a }}; fi\nmenuentry b {{ linux /b }}\nset default=b")).Title);

    [Fact]
    public void Any_text_at_all_is_read_or_refused()
    {
        string[] words =
        [
            "menuentry", "submenu", "if", "then", "else", "elif", "fi", "{", "}", "[", "]", "-f", "=", "!", "\n", ";", "'", "\"", "$a", "${b",
            "set a=b", "function f", "for", "do", "done", "linux /x", "module", "/a", "//b", ":c", "path: x", "KEY=v", "${m}=${m}x", "LABEL l",
            "KERNEL mboot.c32", "APPEND --- a", "INCLUDE self", "MENU", "DEFAULT", "default_entry: 2", "source /x", "\\", "#", "protocol: limine",
        ];
        Gen.Int[0, words.Length - 1].Array[0, 60].Sample(
            picks =>
            {
                string text = string.Join(' ', picks.Select(i => words[i])).Replace(" \n ", "\n", StringComparison.Ordinal);
                foreach (Func<BootMenu> parse in (Func<BootMenu>[])
                [
                    () => Grub(text, ("/x", text)), () => LimineConfiguration.Parse(text, false), () => LimineConfiguration.Parse(text, true),
                    () => SyslinuxConfiguration.Parse(text, "/", _ => text),
                ])
                {
                    try
                    {
                        if (parse() is { Entries.Count: > 0 } menu)
                            Default(menu);
                    }
                    catch (BadInputException)
                    {
                        // Refused, with a reason: any other exception is a mistake.
                    }
                }
            },
            iter: 2000,
            threads: 1);
    }
}
