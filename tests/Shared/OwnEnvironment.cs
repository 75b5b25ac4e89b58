using System.Collections;
using System.Runtime.CompilerServices;

namespace MiniVmm.Tests.Shared;

/// <summary>
/// Takes out of this process's environment what a CI job, a container or a batch system put there. minivmm reads such
/// variables (its shard of the tests, <c>doctor</c>'s advice), and so does Spectre.Console; a test says itself which it wants.
/// </summary>
internal static class OwnEnvironment
{
    private static readonly string[] Names =
        ["CI", "CONTINUOUS_INTEGRATION", "TF_BUILD", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "container", "JOB_COMPLETION_INDEX"];

    private static readonly string[] Beginnings = ["CI_", "GITHUB_", "GITLAB_", "KUBERNETES_", "SLURM_", "JENKINS_", "TEAMCITY_"];

    [ModuleInitializer]
    internal static void Clear()
    {
        foreach (string name in Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(entry => (string)entry.Key).ToArray())
        {
            if (Names.Contains(name) || Beginnings.Any(beginning => name.StartsWith(beginning, StringComparison.Ordinal)))
                Environment.SetEnvironmentVariable(name, null);
        }
    }
}
