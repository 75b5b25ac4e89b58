using System.Text;
using MiniVmm.Configuration;
using MiniVmm.Cpu;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Cpu;

public sealed class CpuModelsTests
{
    private static CpuModels Parse(string json) => CpuModels.Parse(Encoding.UTF8.GetBytes(json), "mine.json");

    private static string[] Features(CpuModel model) => [.. model.Features!.Select(feature => feature.Name)];

    [Fact]
    public void The_built_in_file_loads_with_the_host_s_models_first()
    {
        CpuModel[] all = [.. CpuModels.Load().All];

        Assert.Equal(["host", "max"], all.TakeWhile(model => model.IsHost).Select(model => model.Name));
        Assert.True(all.Length > 130, $"{all.Length}");
    }

    [Theory]
    [InlineData("EPYC", "EPYC-v1")]
    [InlineData("EPYC-IBPB", "EPYC-v2")]
    [InlineData("Haswell-noTSX-IBRS", "Haswell-v4")]
    public void A_name_without_a_version_is_one_of_the_versions(string alias, string version)
    {
        CpuModel model = CpuModels.Load().Get(version);
        CpuModel named = CpuModels.Load().Get(alias);

        Assert.Equal(model.Features, named.Features);
        Assert.Equal(model, named with { Name = version, Features = model.Features });
    }

    [Fact]
    public void Every_built_in_model_is_complete()
    {
        foreach (CpuModel model in CpuModels.Load().All.Where(model => !model.IsHost))
        {
            Assert.NotEqual("", model.Description);
            Assert.Null(model.Vendor);
            Assert.NotNull(model.Family);
            Assert.NotNull(model.Level);
            Assert.NotNull(model.XLevel);
            Assert.NotNull(model.ModelId);
            Assert.Equal(Features(model).Length, Features(model).Distinct().Count());
        }
    }

    [Fact]
    public void Levels_of_the_psabi_build_on_one_another()
    {
        CpuModels models = CpuModels.Load();

        string[] level3 = ["sse4.2", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"];
        Assert.Empty(Features(models.Get("qemu64")).Except(Features(models.Get("x86-64-v2"))));
        Assert.Empty(level3.Except(Features(models.Get("x86-64-v3"))));
    }

    [Fact]
    public void A_users_model_extends_a_built_in_one()
    {
        CpuModel model = Parse("""
            {
              // comments and trailing commas are fine
              "models": [
                { "name": "mine", "extends": "Haswell", "features": ["adx", "smap rdseed"], "without": ["hle rtm"],
                  "stepping": "0xf", "vendor": "GenuineIntel", },
              ],
            }
            """).Get("mine");

        CpuModel haswell = CpuModels.Load().Get("Haswell");
        Assert.Equal(haswell.Features!.Count - 2 + 3, model.Features!.Count);
        Assert.DoesNotContain("rtm", Features(model));
        Assert.Contains("rdseed", Features(model));
        Assert.Equal((6u, 60u, 15u), (model.Family, model.Model, model.Stepping));
        Assert.Equal("GenuineIntel", model.Vendor);
        Assert.Equal(haswell.ModelId, model.ModelId);
    }

    [Fact]
    public void A_users_model_overrides_the_built_in_one_and_may_extend_it()
    {
        CpuModels models = Parse("""
            { "models": [ { "name": "grand", "extends": "qemu64" },
                          { "name": "qemu64", "extends": "qemu64", "features": ["avx"], "level": 7 },
                          { "name": "kvm64", "features": ["fpu"] } ] }
            """);

        Assert.Contains("avx", Features(models.Get("qemu64")));
        Assert.Contains("lm", Features(models.Get("qemu64")));
        Assert.Equal(7u, models.Get("grand").Level);
        Assert.Equal(["fpu"], Features(models.Get("kvm64")));
        Assert.Null(models.Get("kvm64").Level);
        Assert.Contains("lm", Features(models.Get("x86-64-v2")));
        Assert.DoesNotContain("avx", Features(models.Get("x86-64-v2")));
    }

    [Theory]
    [InlineData("", "mine.json, line 1: ")]
    [InlineData("{\n \"models\": [\n  { \"name\": \"a\", }\n  { }\n ]\n}", "mine.json, line 4: ")]
    [InlineData("{}", "mine.json, line 1: ")]
    [InlineData("null", "mine.json: null is no CPU model file")]
    [InlineData("{ \"models\": null }", "mine.json, line 1: ")]
    [InlineData("{ \"models\": [null] }", "mine.json: a model is null")]
    [InlineData("{ \"models\": [{ }] }", "mine.json, line 1: ")]
    [InlineData("{ \"models\": [\n{ \"name\": \"a\", \"fatures\": [] } ] }", "mine.json, line 2: ")]
    [InlineData("{ \"models\": [\n{ \"name\": \"a\",\n\"features\": [\"avx\",\n\"avx22\"] } ] }",
        "mine.json, line 4: no CPU feature is called 'avx22'; did you mean avx2?")]
    [InlineData("{ \"models\": [\n{ \"name\": \"a\", \"features\": \"avx\" } ] }",
        "mine.json, line 2: a list of features is written [\"avx avx2\", \"bmi1\"]")]
    [InlineData(
        "{ \"models\": [\n{ \"name\": \"a\", \"features\": [1] } ] }", "mine.json, line 2: a feature is a string")]
    [InlineData("{ \"models\": [{ \"name\": \"a\",\n\n\"family\": 271 }] }",
        "mine.json, line 3: family is not a number from 0 to 270")]
    [InlineData("{ \"models\": [{ \"name\": \"a\",\n\"stepping\": \"0x10\" }] }",
        "mine.json, line 2: stepping is not a number from 0 to 15")]
    [InlineData("{ \"models\": [{ \"name\": \"a\",\n\"level\": -1 }] }",
        "mine.json, line 2: level is not a number from 1 to 255, or 0")]
    [InlineData("{ \"models\": [{ \"name\": \"a\",\n\"xlevel\": 1e99 }] }",
        "mine.json, line 2: xlevel is not a number from 0x80000001 to 0x800000ff, or 0")]
    [InlineData("{ \"models\": [{ \"name\": \"a\",\n\"vendor\": \"Intel\" }] }",
        "mine.json, line 2: vendor is not 12 ASCII characters as in GenuineIntel")]
    [InlineData(
        "{ \"models\": [{ \"name\": \"a\",\n\"model-id\": \"0123456789012345678901234567890123456789012345678\" }] }",
        "mine.json, line 2: model-id is not a string of at most 48 ASCII characters")]
    [InlineData(
        "{ \"models\": [{ \"name\": \"host\" }] }", "mine.json: the model 'host' is built in and cannot be replaced")]
    [InlineData("{ \"models\": [{ \"name\": \"a,b\" }] }", "mine.json: 'a,b' cannot be a model's name")]
    [InlineData(
        "{ \"models\": [{ \"name\": \"a\" }, { \"name\": \"a\" }] }", "mine.json: there are two models called 'a'")]
    [InlineData("{ \"models\": [{ \"name\": \"a\", \"extends\": \"b\" }] }",
        "mine.json: model 'a' extends 'b', which is nowhere")]
    [InlineData("{ \"models\": [{ \"name\": \"a\", \"extends\": \"a\" }] }",
        "mine.json: model 'a' extends 'a', which is nowhere")]
    [InlineData("{ \"models\": [{ \"name\": \"a\", \"extends\": \"b\" }, { \"name\": \"b\", \"extends\": \"a\" }] }",
        "mine.json: model 'a' extends itself by way of 'a'")]
    [InlineData("{ \"models\": [{ \"name\": \"a\", \"extends\": \"host\" }] }",
        "mine.json: model 'a' cannot extend host; use --cpu host,+feature")]
    [InlineData("{ \"models\": [{ \"name\": \"a\", \"name\": \"b\" }] }", "mine.json, line 1: ")]
    [InlineData("{ \"models\": [{ \"name\": \"\\ud800\" }] }", "mine.json, line 1: ")]
    [InlineData("{ \"models\": [{ \"name\": \"a\",\n\"vendor\": \"\\ud800\" }] }", "mine.json, line 2: ")]
    [InlineData("{ \"models\": [{ \"name\": \"a\",\n\"features\": [\"\\ud800\"] }] }", "mine.json, line 2: ")]
    [InlineData("{ \"\\ud800\": [] }", "mine.json, line 1: ")]
    public void A_bad_file_is_refused_with_its_name_and_line(string json, string message)
    {
        string actual = Assert.Throws<BadInputException>(() => Parse(json)).OnCommandLine();

        if (message.EndsWith(": ", StringComparison.Ordinal))
            Assert.StartsWith(message, actual, StringComparison.Ordinal);
        else
            Assert.Equal(message, actual);
        Assert.DoesNotContain("LineNumber", actual, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', actual);
    }

    [Fact]
    public void A_users_file_that_is_not_there_is_none() =>
        Assert.Equal(
            CpuModels.Load().All.Count(),
            CpuModels.Load(Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString())).All.Count());

    [Fact]
    public void A_users_file_is_read_from_disk_for_a_named_model()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, """{ "models": [ { "name": "mine", "extends": "kvm64" } ] }""");

            Assert.Equal("mine", CpuText.Parse("mine,+avx", path).Model.Name);

            File.WriteAllBytes(path, new byte[(1 << 20) + 1]);
            BadInputException error = Assert.Throws<BadInputException>(() => CpuModels.Load(path));
            Assert.Equal($"{path}: over 1 MiB, not a CPU model file", error.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
