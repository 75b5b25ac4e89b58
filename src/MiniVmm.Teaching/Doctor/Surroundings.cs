using MiniVmm.Host;

namespace MiniVmm.Teaching.Doctor;

/// <summary>What this process runs in that may keep /dev/kvm from it, and what lets it in.</summary>
/// <param name="Container">"Docker", "Podman", "Kubernetes" or "a container"; null for none.</param>
/// <param name="Runner">"GitHub Actions", "GitLab CI" or "CI"; null for none.</param>
internal sealed record Surroundings(string? Container, string? Runner)
{
    // Names in the paths of a container's cgroups (cgroups(7)); with cgroup namespaces there is none.
    private static readonly (string Word, string Name)[] CgroupWords =
        [("kubepods", "Kubernetes"), ("libpod", "Podman"), ("docker", "Docker"), ("containerd", "a container"), ("/lxc", "a container")];

    public static Surroundings Find(HostFiles files, Func<string, string?> environment) =>
        new(FindContainer(files, environment), FindRunner(environment));

    /// <summary>What to add to the container or the job so that there is a /dev/kvm in it; null outside of them.</summary>
    public string? ForDevice => (Container, Runner) switch
    {
        (null, "GitHub Actions") => "let the job run where there is KVM: runs-on: ubuntu-latest",
        (_, "GitHub Actions") => "in the job's container: options: --device /dev/kvm   (with runs-on: ubuntu-latest, whose machines have KVM)",
        (_, "GitLab CI") => "in the runner's config.toml, on a machine with KVM: [runners.docker] devices = [\"/dev/kvm\"]; in the job, the runner's tag",
        ("Kubernetes", _) => "in the pod: resources: {limits: {devices.kubevirt.io/kvm: 1}}   (by a device plugin such as KubeVirt's)",
        ("Podman", _) => "start the container with: podman run --device /dev/kvm --group-add keep-groups …",
        (not null, _) => "start the container with: docker run --device /dev/kvm …",
        (_, not null) => "let the job run on a machine with KVM, or with nested virtualisation",
        _ => null,
    };

    /// <summary>What to add so that the user may open the /dev/kvm that is there; null outside of them.</summary>
    /// <param name="group">The device's group, as a number.</param>
    public string? ForPermission(uint group) => (Container, Runner) switch
    {
        (null, "GitHub Actions") => "in the job, before minivmm: - run: sudo chmod a+rw /dev/kvm",
        ("Kubernetes", _) => $"in the pod: securityContext: {{supplementalGroups: [{group}]}}",
        ("Podman", _) => "start the container with: podman run --device /dev/kvm --group-add keep-groups …",
        (not null, _) => $"start the container with: docker run --device /dev/kvm --group-add {group} …",
        (_, not null) => "in the job, before minivmm: sudo chmod a+rw /dev/kvm",
        _ => null,
    };

    private static string? FindContainer(HostFiles files, Func<string, string?> environment)
    {
        if (environment("KUBERNETES_SERVICE_HOST") is not null)
            return "Kubernetes";
        if (files.Exists("/run/.containerenv"))
            return "Podman";
        string cgroups = files.ReadAllText("/proc/1/cgroup") ?? "";
        foreach ((string word, string name) in CgroupWords)
        {
            if (cgroups.Contains(word, StringComparison.Ordinal))
                return name;
        }

        // A machine that was booted from a container's files still has this one, but it also has the kernel's threads.
        if (files.Exists("/.dockerenv") && files.ReadLine("/proc/2/comm") != "kthreadd")
            return "Docker";
        return environment("container") switch
        {
            null or "" => null,
            "podman" => "Podman",
            "docker" => "Docker",
            _ => "a container",
        };
    }

    private static string? FindRunner(Func<string, string?> environment)
    {
        if (environment("GITHUB_ACTIONS") == "true")
            return "GitHub Actions";
        if (environment("GITLAB_CI") is not null)
            return "GitLab CI";
        return environment("CI") is "true" or "1" ? "CI" : null;
    }
}
