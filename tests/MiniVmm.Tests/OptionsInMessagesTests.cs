using System.Collections.Immutable;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using MiniVmm.Cli;
using MiniVmm.Configuration;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Testing;
using MiniVmm.Tracing.Files;

namespace MiniVmm.Tests;

/// <summary>Messages name options so that whoever shows them can spell them: held against what the compiler made.</summary>
public sealed partial class OptionsInMessagesTests
{
    private static readonly string[] Named =
        [typeof(OptionName).FullName!, typeof(NamedOption).FullName!, typeof(OptionMessage).FullName!];

    public static TheoryData<string> Assemblies =>
    [
        typeof(VmmException).Assembly.Location,
        typeof(OptionTexts).Assembly.Location,
        typeof(TestCase).Assembly.Location,
        typeof(TraceContents).Assembly.Location,
        typeof(CommandLine).Assembly.Location,
    ];

    public static TheoryData<string> Libraries =>
    [
        typeof(Errno).Assembly.Location,
        typeof(KvmVm).Assembly.Location,
        typeof(VmmException).Assembly.Location,
        typeof(OptionTexts).Assembly.Location,
        typeof(TestCase).Assembly.Location,
        typeof(TraceContents).Assembly.Location,
    ];

    /// <summary>
    /// An interpolated string that is no <see cref="OptionMessage"/> would have the option's name for good, without a word
    /// from the compiler: in a conditional, or with a plain string joined to it.
    /// </summary>
    [Theory]
    [MemberData(nameof(Assemblies))]
    public void No_option_is_written_into_a_plain_string(string assembly)
    {
        using PEReader file = new(File.OpenRead(assembly));
        MetadataReader metadata = file.GetMetadataReader();
        TypeNames names = new();
        List<string> written = [];
        for (int row = 1; row <= metadata.GetTableRowCount(TableIndex.MethodSpec); row++)
        {
            MethodSpecification method = metadata.GetMethodSpecification(
                MetadataTokens.MethodSpecificationHandle(row));
            if (method.Method.Kind == HandleKind.MemberReference
                && metadata.GetMemberReference((MemberReferenceHandle)method.Method) is var called
                && metadata.GetString(called.Name) == "AppendFormatted")
                written.AddRange(method.DecodeSignature(names, null));
        }

        Assert.Contains("System.Int32", written);
        Assert.Empty(written.Intersect(Named));
    }

    /// <summary>An embedder has no command line: options of it are for MiniVmm.Cli to spell.</summary>
    [Theory]
    [MemberData(nameof(Libraries))]
    public void No_text_of_the_library_is_an_option_of_a_command_line(string assembly)
    {
        using PEReader file = new(File.OpenRead(assembly));
        MetadataReader metadata = file.GetMetadataReader();
        List<string> texts = [];
        for (UserStringHandle text = MetadataTokens.UserStringHandle(1); !text.IsNil; text = metadata.GetNextHandle(text))
            texts.Add(metadata.GetUserString(text));

        Assert.NotEmpty(texts);
        Assert.DoesNotContain(texts, text => CommandLineOption().IsMatch(text));
    }

    [GeneratedRegex("--[a-z]")]
    private static partial Regex CommandLineOption();

    /// <summary>Names of types in signatures; of generic ones only the outer name.</summary>
    private sealed class TypeNames : ISignatureTypeProvider<string, object?>
    {
        public string GetPrimitiveType(PrimitiveTypeCode code) => $"System.{code}";

        public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind)
        {
            TypeDefinition type = reader.GetTypeDefinition(handle);
            return $"{reader.GetString(type.Namespace)}.{reader.GetString(type.Name)}";
        }

        public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind)
        {
            TypeReference type = reader.GetTypeReference(handle);
            return $"{reader.GetString(type.Namespace)}.{reader.GetString(type.Name)}";
        }

        public string GetTypeFromSpecification(
            MetadataReader reader, object? context, TypeSpecificationHandle handle, byte rawTypeKind) =>
            reader.GetTypeSpecification(handle).DecodeSignature(this, context);

        public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments) => genericType;

        public string GetArrayType(string elementType, ArrayShape shape) => elementType;

        public string GetSZArrayType(string elementType) => elementType;

        public string GetByReferenceType(string elementType) => elementType;

        public string GetPointerType(string elementType) => elementType;

        public string GetPinnedType(string elementType) => elementType;

        public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) => unmodifiedType;

        public string GetFunctionPointerType(MethodSignature<string> signature) => "";

        public string GetGenericMethodParameter(object? context, int index) => "";

        public string GetGenericTypeParameter(object? context, int index) => "";
    }
}
