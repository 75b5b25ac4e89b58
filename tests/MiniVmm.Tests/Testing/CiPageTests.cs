using System.Text;
using System.Text.RegularExpressions;
using MiniVmm.Testing;
using MiniVmm.Tests.Cli;
using YamlDotNet.RepresentationModel;

namespace MiniVmm.Tests.Testing;

/// <summary>What docs/ci.md shows is what its readers' tools take.</summary>
public sealed partial class CiPageTests
{
    private static readonly string[] Blocks =
        [.. Block().Matches(DocumentationPages.Text("docs/ci.md")).Select(match => $"{match.Groups[1].Value}\n{match.Groups[2].Value}")];

    [Fact]
    public void The_comment_and_the_manifest_are_read()
    {
        string comment = Of("").Single(block => block.StartsWith('#'));
        TestCase test = TestComment.Read(new() { Name = "x" }, comment, "hello.test");
        Assert.Equal(("hello: ok", 10.0, 2), (test.Expected.Texts.Single(), test.Timeout.TotalSeconds, test.Machine.Topology.Count));

        TestManifest manifest = TestManifest.Read(Encoding.UTF8.GetBytes(Of("json")[0]), "x.json", new() { Name = "" });
        Assert.Equal(["hello.elf", "hello-smp", "tests.elf", "shell.elf", "floppy.elf"], manifest.Tests.Select(one => one.Name));
    }

    [Fact]
    public void The_results_have_the_form_that_is_read() =>
        Assert.Equal(new Shard(1, 4), ReportJson.Read(Encoding.UTF8.GetBytes(Of("json")[1]), "x.json").Shard);

    [Fact]
    public void Kubernetes_completions_are_the_shards()
    {
        YamlNode job = Yaml(0);

        Assert.Equal("batch/v1 Job Indexed Never", $"{Text(job, "apiVersion")} {Text(job, "kind")} {Text(job, "spec", "completionMode")} "
            + Text(job, "spec", "template", "spec", "restartPolicy"));
        YamlNode container = ((YamlSequenceNode)At(job, "spec", "template", "spec", "containers")).Single();
        string command = ((YamlSequenceNode)At(container, "command")).Last().ToString();
        Assert.Contains($"--shards {Text(job, "spec", "completions")} ", command, StringComparison.Ordinal);
        AssertTaken(command);
    }

    [Fact]
    public void GitLab_s_jobs_run_in_parallel_and_keep_what_the_merge_reads()
    {
        YamlNode pipeline = Yaml(1);

        Assert.True(int.Parse(Text(pipeline, "kernel-tests", "parallel")) > 1);
        Assert.Equal("always", Text(pipeline, "kernel-tests", "artifacts", "when"));
        Assert.Equal("always", Text(pipeline, "merge", "when"));
        string[] stages = [.. ((YamlSequenceNode)At(pipeline, "stages")).Select(stage => stage.ToString())];
        Assert.Equal(stages, new[] { Text(pipeline, "kernel-tests", "stage"), Text(pipeline, "merge", "stage") });
        foreach (string job in (string[])["kernel-tests", "merge"])
            AssertTaken(((YamlSequenceNode)At(pipeline, job, "script")).Single().ToString());
    }

    [Fact]
    public void GitHub_s_matrix_is_the_shards()
    {
        YamlNode workflow = Yaml(2);

        int shards = ((YamlSequenceNode)At(workflow, "jobs", "test", "strategy", "matrix", "shard")).Count();
        Assert.Equal("false", Text(workflow, "jobs", "test", "strategy", "fail-fast"));
        Assert.Equal(("test", "always()"), (Text(workflow, "jobs", "merge", "needs"), Text(workflow, "jobs", "merge", "if")));
        string run = Runs(workflow, "test").Single(line => line.StartsWith("minivmm", StringComparison.Ordinal));
        Assert.Contains($"--shard ${{{{ matrix.shard }}}}/{shards} ", run, StringComparison.Ordinal);
        AssertTaken(run.Replace("${{ matrix.shard }}", "1", StringComparison.Ordinal));
        AssertTaken(Runs(workflow, "merge").Single());
    }

    private static IEnumerable<string> Runs(YamlNode workflow, string job) =>
        ((YamlSequenceNode)At(workflow, "jobs", job, "steps")).OfType<YamlMappingNode>()
            .Where(step => step.Children.ContainsKey("run")).Select(step => Text(step, "run"));

    /// <summary>The command line makes sense to minivmm.</summary>
    private static void AssertTaken(string command)
    {
        string[] words = Assert.Single(ShellWords.CommandLines(command));
        Assert.Equal("test", words[0]);
        Assert.Null(CommandLines.Problem(words));
    }

    private static string[] Of(string language) =>
        [.. Blocks.Where(block => block.StartsWith($"{language}\n", StringComparison.Ordinal)).Select(block => block[(language.Length + 1)..])];

    private static YamlNode Yaml(int number)
    {
        YamlStream stream = [];
        stream.Load(new StringReader(Of("yaml")[number]));
        return stream.Documents.Single().RootNode;
    }

    private static YamlNode At(YamlNode node, params IEnumerable<string> path) => path.Aggregate(node, (at, name) => at[name]);

    private static string Text(YamlNode node, params IEnumerable<string> path) => At(node, path).ToString();

    [GeneratedRegex("^```(\\w*)\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Block();
}
