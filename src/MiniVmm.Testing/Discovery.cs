using System.Text;
using MiniVmm.Boot;

namespace MiniVmm.Testing;

/// <summary>The tests of some paths, in the order of their names.</summary>
/// <param name="Tests">They.</param>
/// <param name="OtherFiles">Files that were looked at in folders, and are no kernels.</param>
internal sealed record DiscoveredTests(IReadOnlyList<TestCase> Tests, int OtherFiles);

/// <summary>
/// Finds tests: the images that are named, and in folders, at any depth, those that a manifest names and all other files that
/// are kernels by what is in them. A manifest's image that is not there, and a comment without an image, is a test that fails:
/// nothing goes missing in silence.
/// </summary>
internal sealed class Discovery
{
    /// <summary>Most bytes of a comment beside an image.</summary>
    private const int MostCommentBytes = 1 << 20;

    private readonly TestCase _defaults;
    private readonly SortedDictionary<string, TestCase> _tests = new(StringComparer.Ordinal);
    private readonly HashSet<string> _found = []; // names of those that nobody named
    private int _otherFiles;

    private Discovery(TestCase defaults) => _defaults = defaults;

    /// <summary>Finds the tests of the paths.</summary>
    /// <param name="paths">Images, folders and manifests.</param>
    /// <param name="defaults">What a test is where nothing else is said of it.</param>
    /// <exception cref="BadInputException">A path that is not there, or a manifest or a comment that is wrong.</exception>
    public static DiscoveredTests Find(IEnumerable<string> paths, TestCase defaults)
    {
        Discovery discovery = new(defaults);
        foreach (string path in paths)
        {
            try
            {
                discovery.Add(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new BadInputException($"{path}: cannot be read: {e.Message}", e);
            }
        }

        return discovery.Result();
    }

    /// <summary>Without files that are kernels by what is in them, and that a test names as its disk or module.</summary>
    private DiscoveredTests Result()
    {
        HashSet<string> files = [.. _tests.Values.SelectMany(FilesOf).Select(Path.GetFullPath)];
        TestCase[] tests = [.. _tests.Values.Where(test => !_found.Contains(test.Name) || !files.Contains(Path.GetFullPath(test.Machine.Kernel)))];
        return new(tests, _otherFiles + _tests.Count - tests.Length);
    }

    private static IEnumerable<string> FilesOf(TestCase test) =>
        test.Machine.Disks.Select(disk => disk.File)
            .Concat(test.Machine.Initrds.Concat(test.Machine.Modules).Select(file => file.Path))
            .Append(test.Machine.Firmware ?? "")
            .Where(file => file.Length > 0);

    private void Add(string path)
    {
        if (path.Length == 0)
            throw new BadInputException("a path is empty; name an image or a folder");
        if (Directory.Exists(path))
            AddFolder(path.Length > 1 ? path.TrimEnd('/') : path);
        else if (!File.Exists(path))
            throw new BadInputException($"{path}: no such file or folder");
        else if (Path.GetFileName(path) == TestManifest.FileName)
            _ = AddManifest(path);
        else
            AddImage(path, _defaults, path);
        _found.Remove(Plain(path));
    }

    private void AddFolder(string folder)
    {
        string manifest = Path.Combine(folder, TestManifest.FileName);
        (TestCase defaults, HashSet<string> named) = File.Exists(manifest) ? AddManifest(manifest) : (_defaults, []);
        string[] files = [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal)];
        HashSet<string> comments = [.. files.Where(file => file.EndsWith(TestComment.Extension, StringComparison.Ordinal))];
        HashSet<string> used = [];
        foreach (string file in files)
        {
            if (file == manifest || comments.Contains(file))
                continue;
            bool isTest = named.Contains(file);
            if (!isTest && (CommentsOf(file).Any(comments.Contains) || BootableFile.Recognise(file)))
            {
                AddImage(file, defaults, file);
                _found.Add(Plain(file));
                isTest = true;
            }

            if (isTest)
                used.UnionWith(CommentsOf(file));
            else
                _otherFiles++;
        }

        foreach (string lost in comments.Except(used).Order(StringComparer.Ordinal))
            AddTest(lost, new() { Name = lost, Problem = "there is no image beside it that it is about" });
        foreach (string inner in Directory.GetDirectories(folder))
        {
            // Not what editors and version control keep, and no circles.
            if (!Path.GetFileName(inner).StartsWith('.') && !File.GetAttributes(inner).HasFlag(FileAttributes.ReparsePoint))
                AddFolder(inner);
        }
    }

    /// <returns>What other tests of the folder begin with, and the images that it names.</returns>
    private (TestCase Defaults, HashSet<string> Images) AddManifest(string path)
    {
        string folder = Path.GetDirectoryName(path) ?? "";
        TestManifest manifest = TestManifest.Read(ReadFile(path, TestManifest.MostBytes), path, _defaults);
        HashSet<string> images = [];
        foreach (ManifestTest test in manifest.Tests)
        {
            string image = Path.Combine(folder, test.Image);
            images.Add(image);
            if (CommentsOf(image).FirstOrDefault(File.Exists) is { } comment)
                throw new BadInputException($"{comment}: {path} says what is expected of {test.Image}; say all of it there");
            AddImage(image, test.Test, Path.Combine(folder, test.Name), readsComment: false);
        }

        return (manifest.Defaults, images);
    }

    private void AddImage(string image, TestCase test, string name, bool readsComment = true)
    {
        test = test with { Name = name, Machine = test.Machine with { Kernel = image } };
        if (!File.Exists(image))
            test = test with { Problem = $"{image}: no such file" };
        else if (readsComment && CommentsOf(image).FirstOrDefault(File.Exists) is { } comment)
            test = TestComment.Read(test, Encoding.UTF8.GetString(ReadFile(comment, MostCommentBytes).Span), comment);
        AddTest(name, test);
    }

    /// <summary>An image that is named twice, or is in a folder that is, is one test.</summary>
    private void AddTest(string name, TestCase test)
    {
        string plain = Plain(name);
        _tests[plain] = test with { Name = plain };
    }

    private static string Plain(string name) => name.StartsWith("./", StringComparison.Ordinal) ? name[2..] : name;

    /// <summary>hello.elf.test and hello.test for hello.elf.</summary>
    private static string[] CommentsOf(string image) =>
        [image + TestComment.Extension, Path.ChangeExtension(image, TestComment.Extension)];

    private static ReadOnlyMemory<byte> ReadFile(string path, int most)
    {
        if (new FileInfo(path).Length > most)
            throw new BadInputException($"{path}: over {ByteSize.Format((ulong)most)}");
        return File.ReadAllBytes(path);
    }
}
