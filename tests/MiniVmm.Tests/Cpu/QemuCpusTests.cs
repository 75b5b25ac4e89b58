using System.Globalization;
using System.Text.Json;
using MiniVmm.Configuration;
using MiniVmm.Cpu;

namespace MiniVmm.Tests.Cpu;

/// <summary>The built-in models beside QEMU's own.</summary>
public sealed class QemuCpusTests(QemuCpus qemu) : IClassFixture<QemuCpus>
{
    private static readonly CpuModels Ours = CpuModels.Load();

    // Found in processors that have psABI levels; QEMU has no models of that name.
    private static readonly string[] OursAlone = ["x86-64-v2", "x86-64-v3"];

    [Fact]
    public void Every_model_that_qemu_lists_is_here_and_no_other()
    {
        string[] ours = [.. Ours.All.Select(model => model.Name)];

        Assert.True(qemu.Names.Count > 100, $"QEMU {qemu.Version} lists {qemu.Names.Count} models");
        Assert.Empty(qemu.Names.Except(ours));
        if (qemu.Version >= 10)
            Assert.Equal(OursAlone, ours.Except(qemu.Names));
    }

    [Fact]
    public void Every_model_is_qemus_to_the_last_feature()
    {
        List<string> wrong = [];
        foreach ((string name, JsonElement theirs) in qemu.Models)
        {
            CpuModel model = Ours.Get(name);
            string[] features = [.. Features(theirs)];
            string[] ours = [.. model.Features!.Select(feature => feature.Name).Where(feature => feature != "vme")];
            wrong.AddRange(ours.Except(features).Select(feature => $"{name} has {feature}, QEMU's has not"));
            wrong.AddRange(features.Except(ours).Select(feature => $"{name} lacks {feature}"));
            Compare("family", model.Family);
            Compare("model", model.Model);
            Compare("stepping", model.Stepping);
            Compare("min-level", model.Level);
            // QEMU raises it where svm is on, as it is in no guest unless asked.
            Compare("min-xlevel", ours.Contains("svm") ? Math.Max(model.XLevel!.Value, 0x8000000A) : model.XLevel);
            if (theirs.GetProperty("model-id").GetString() is var text && text != model.ModelId)
                wrong.Add($"{name} has model-id {model.ModelId}, QEMU's {text}");

            void Compare(string property, uint? value)
            {
                if (theirs.GetProperty(property).GetUInt32() is var number && number != value)
                    wrong.Add(string.Create(CultureInfo.InvariantCulture, $"{name} has {property} {value:x}, QEMU's {number:x}"));
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Every_feature_that_qemu_knows_can_be_switched_here()
    {
        string[] names = [.. qemu.Models["base"].EnumerateObject().Where(IsFeature).Select(property => property.Name)];

        Assert.True(names.Length > 200, $"QEMU {qemu.Version} has {names.Length} features");
        Assert.All(names, name => Assert.True(CpuFeatures.TryFind(name, out _), name));
    }

    [Fact]
    public void Every_property_of_qemus_is_understood_or_refused_by_its_name()
    {
        List<string> unknown = [];
        foreach (string name in qemu.Properties)
        {
            try
            {
                CpuText.Parse($"qemu64,{name}=on");
            }
            catch (BadInputException refusal)
            {
                if (refusal.Message.Contains("no CPU feature is called", StringComparison.Ordinal))
                    unknown.Add(name);
            }
        }

        Assert.Empty(unknown);
    }

    /// <summary>vmx- properties are limits of what vmx can do, which MiniVmm leaves to KVM.</summary>
    private static bool IsFeature(JsonProperty property) =>
        property.Value.ValueKind is JsonValueKind.True or JsonValueKind.False
        && property.Name != "lmce"
        && !property.Name.StartsWith("vmx-", StringComparison.Ordinal);

    private static IEnumerable<string> Features(JsonElement model) =>
        model.EnumerateObject()
            .Where(property => IsFeature(property) && property.Value.GetBoolean())
            .Select(property => property.Name);
}
