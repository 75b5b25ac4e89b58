using System.Text;
using CsCheck;
using MiniVmm.Testing;

namespace MiniVmm.Tests.Testing;

public sealed class TestManifestTests
{
    private const string Good = """
        {"defaults": {"timeout": 10, "expect": ["a", "b"], "smp": "2,cores=2"},
         "tests": [{"image": "x.elf", "name": "x", "exit": 33, "until": "login", "disk": ["a.img", "b.img,ro"], "may-skip": true,
                    "cpu": "host,-avx", "append": "quiet", "mem": "64M", "net": "none", "initrd": "a,b", "module": "m w", "xfail": "y"}]}
        """;

    [Theory]
    [InlineData("", "t.json:1: not JSON")]
    [InlineData("[]", "t.json: not an object with \"tests\"")]
    [InlineData("""{"test": []}""", "t.json: 'test' is not one of")]
    [InlineData("""{"tests": {}}""", "t.json: \"tests\" is not a list")]
    [InlineData("""{"tests": [1]}""", "t.json: tests[0]: not an object")]
    [InlineData("""{"tests": [{}]}""", "t.json: tests[0]: has no \"image\"")]
    [InlineData("""{"tests": [{"image": ""}]}""", "t.json: tests[0]: \"image\" is not a name")]
    [InlineData("""{"tests": [{"image": "a\nb"}]}""", "t.json: tests[0]: \"image\" is not a name")]
    [InlineData("""{"tests": [{"image": "a", "name": 1}]}""", "t.json: tests[0]: \"name\" is not a name")]
    [InlineData("""{"tests": [{"image": "a"}, {"image": "a"}]}""", "t.json: tests[1]: there are two tests called 'a'")]
    [InlineData("""{"tests": [{"image": "a", "expct": "b"}]}""", "t.json: tests[0] 'a': 'expct' is no key of a test; did you mean 'expect'?")]
    [InlineData("""{"tests": [{"image": "a", "expect": null}]}""", "t.json: tests[0] 'a': expect: neither a text")]
    [InlineData("""{"tests": [{"image": "a", "expect": [["b"]]}]}""", "t.json: tests[0] 'a': expect: neither a text")]
    [InlineData("""{"tests": [{"image": "a", "timeout": -1}]}""", "t.json: tests[0] 'a': timeout -1: not a number of seconds")]
    [InlineData("""{"tests": [{"image": "a", "image": "b"}]}""", "t.json")]
    [InlineData("""{"tests": [{"image": "a", "expect": "\ud800"}]}""", "t.json: a text in it is no Unicode")]
    [InlineData("""{"defaults": [], "tests": []}""", "t.json: defaults: not an object of keys")]
    [InlineData("""{"defaults": {"mem": "no"}}""", "t.json: defaults: Mem no: ")]
    [InlineData("{\n\n\"tests\": [}", "t.json:3: not JSON")]
    public void What_is_wrong_is_said_with_its_place(string json, string message) =>
        Assert.StartsWith(message, Assert.Throws<BadInputException>(() => Read(Encoding.UTF8.GetBytes(json))).Message, StringComparison.Ordinal);

    [Fact]
    public void One_without_tests_is_all_defaults()
    {
        TestManifest manifest = Read([0xef, 0xbb, 0xbf, .. """{"defaults": {"timeout": 3}}"""u8]);

        Assert.Equal(TimeSpan.FromSeconds(3), manifest.Defaults.Timeout);
        Assert.Empty(manifest.Tests);
    }

    [Fact]
    public void Lists_replace_those_of_the_defaults()
    {
        ManifestTest test = Read(Encoding.UTF8.GetBytes("""
            {"defaults": {"expect": ["a", "b"]}, "tests": [{"image": "x", "expect": ["c", "d"]}]}
            """)).Tests[0];

        Assert.Equal(["c", "d"], test.Test.Expected.Texts);
    }

    [Fact]
    public void Any_file_is_a_manifest_or_an_error_in_words()
    {
        byte[] good = Encoding.UTF8.GetBytes(Good);
        Assert.Equal("x", Assert.Single(Read(good).Tests).Name);

        // Bytes of chance, and a good one with some bytes changed, doubled or left out.
        Gen.Byte.Array[0, 300].Sample(IsReadOrRefused);
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Int[0, 40], Gen.Byte.Array[0, 8]).Sample((at, cut, put) =>
            IsReadOrRefused([.. good[..at], .. put, .. good[Math.Min(at + cut, good.Length)..]]));
        string[] pieces = ["{", "}", "[", "]", ",", ":", "\"tests\"", "\"image\"", "\"a\"", "\"expect\"", "\"smp\"", "\"mem\"", "\"disk\"",
            "\"net\"", "\"device\"", "\"cpu\"", "\"fw-cfg\"", "\"9999999999999999999\"", "1e999", "-1", "null", "true", "\"a=b,c=d,,\"", "\"\\u0000\""];
        Gen.Int[0, pieces.Length - 1].Array[0, 40].Sample(words =>
            IsReadOrRefused(Encoding.UTF8.GetBytes(string.Concat(words.Select(word => pieces[word])))));
    }

    [Fact]
    public void Any_value_of_any_key_is_taken_or_refused_in_words()
    {
        string[] keys = [.. Enum.GetNames<OptionName>().Select(name => string.Concat(name.Select(
            (letter, i) => char.IsAsciiLetterUpper(letter) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(letter) : $"{letter}"))),
            "expect", "exit", "until", "allow", "timeout", "skip", "xfail", "may-skip"];
        string[] words = ["", "0", "1", "-1", "4294967296", "99999999999999999999", "on", "a", "=", ",", ",,", "64M", "0x10", "a=b", "vfio=", ":", "tcp:", "user", "\0", "é", "pty", " "];
        Gen.Select(Gen.Int[0, keys.Length - 1], Gen.Int[0, words.Length - 1].Array[0, 6]).Sample((key, value) =>
        {
            try
            {
                _ = new TestCase { Name = "x" }.With(keys[key], string.Concat(value.Select(word => words[word])), "/nowhere");
                return true;
            }
            catch (VmmException)
            {
                return true;
            }
        });
    }

    [Fact]
    public void Any_comment_is_read_or_refused_in_words()
    {
        string good = "# x\nexpect: a\nsmp: 2\nexit: 33\n";
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Int[0, 10], Gen.String[0, 8]).Sample((at, cut, put) =>
        {
            try
            {
                _ = TestComment.Read(new() { Name = "x" }, good[..at] + put + good[Math.Min(at + cut, good.Length)..], "x.test");
                return true;
            }
            catch (VmmException)
            {
                return true;
            }
        });
    }

    private static bool IsReadOrRefused(byte[] json)
    {
        try
        {
            _ = Read(json);
            return true;
        }
        catch (VmmException e)
        {
            return e.Message.StartsWith("t.json", StringComparison.Ordinal);
        }
    }

    private static TestManifest Read(byte[] json) => TestManifest.Read(json, "t.json", new() { Name = "" });
}
