//! The catalogue of remarks: one row per kind of finding.

use crate::Severity;

macro_rules! rules {
    ($($variant:ident = $code:literal, $severity:ident, $suggestion:literal;)*) => {
        /// A kind of remark about a contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule {
            $(#[doc = $suggestion] $variant,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, the `code` of a [`Finding`](crate::Finding).
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// How grave it is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What to do about it.
            pub const fn suggestion(self) -> &'static str {
                match self { $(Self::$variant => $suggestion,)* }
            }
        }
    };
}

rules! {
    // The text.
    LimitExceeded = "limit_exceeded", Error,
        "Split the document, or remove what is not needed.";
    DocumentEmpty = "document_empty", Error,
        "Send the text of an OpenAPI document, JSON or YAML.";
    JsonBroken = "json_broken", Error,
        "Mend the JSON at this place; a missing or extra comma, quote or bracket just before it is the usual cause.";
    YamlBroken = "yaml_broken", Error,
        "Mend the YAML at this place; indentation and unquoted special characters are the usual causes.";
    YamlTab = "yaml_tab", Error,
        "Indent with spaces; YAML does not allow tabs there.";
    DocumentsSeveral = "documents_several", Error,
        "Keep one document; import the ones after `---` on their own.";
    KeyDuplicate = "key_duplicate", Error,
        "Remove or rename one of the two; readers differ in which one they keep.";
    KeyNotScalar = "key_not_scalar", Error,
        "Use text as the key; JSON has no lists or mappings as keys.";
    AliasRecursive = "alias_recursive", Error,
        "Use `$ref` for recursive structures; a YAML alias cannot stand inside its own anchor.";
    MergeInvalid = "merge_invalid", Error,
        "Give `<<` a mapping, an alias of a mapping, or a list of them.";
    JsonLoose = "json_loose", Warning,
        "Mend the JSON; it was read as YAML, which other programs may not do.";
    TagIgnored = "tag_ignored", Warning,
        "Remove the tag; OpenAPI knows only what JSON can express.";
    NumberUnrepresentable = "number_unrepresentable", Warning,
        "Use a finite number that a double can hold, or quote it.";
    TextUnpaired = "text_unpaired_surrogate", Warning,
        "Write the character itself or a complete surrogate pair.";

    // The document.
    NotOpenapi = "not_openapi", Error,
        "Send an OpenAPI document; its first line is usually `openapi: 3.1.0`.";
    Swagger2 = "swagger_2", Error,
        "Convert the document to OpenAPI 3, for example with `npx swagger2openapi` or at https://converter.swagger.io.";
    VersionUnsupported = "openapi_version_unsupported", Error,
        "Use OpenAPI 3.0, 3.1 or 3.2, as `openapi: 3.1.0`.";
    VersionNotText = "openapi_version_not_text", Hint,
        "Write the version in full and in quotes, as `openapi: \"3.1.0\"`.";
    InfoMissing = "info_missing", Error,
        "Add `info` with `title` and `version`.";
    TitleMissing = "title_missing", Warning,
        "Add `info.title`; it is the name people read.";
    InfoVersionMissing = "info_version_missing", Warning,
        "Add `info.version`; it names the version of the API.";
    PathsMissing = "paths_missing", Error,
        "Add `paths` with at least one operation.";
    OperationsNone = "operations_none", Warning,
        "Add an operation under `paths`; without one nothing can be called.";
    TypeWrong = "type_wrong", Warning,
        "Give it the type that `detail` names; it was ignored.";
    StructureWrong = "structure_wrong", Error,
        "Give it the type that `detail` names.";
    ServersNested = "servers_nested", Hint,
        "Calls go to the upstream of the API; give operations that are served elsewhere an API of their own.";
    ServerVariable = "server_variable_undefined", Warning,
        "Define the variable with a `default` under `variables`.";

    // Paths and operations.
    PathSlash = "path_without_slash", Error,
        "Begin the path with `/`.";
    PathBraces = "path_braces_unbalanced", Error,
        "Close every `{` with a `}` in the same segment.";
    PathParameterEmpty = "path_parameter_unnamed", Error,
        "Name the parameter, as `{id}`.";
    PathParameterTwice = "path_parameter_twice", Warning,
        "Give the parameters of a path different names.";
    PathParameterRest = "path_parameter_rest", Warning,
        "Give every segment a parameter of its own; a slash within a value has to be sent as `%2F`.";
    PathQuery = "path_with_query", Warning,
        "Describe what follows `?` or `#` as parameters; the gateway matches paths without it.";
    PathCharacters = "path_characters", Hint,
        "Percent-encode the character as it stands in a request; the gateway compares paths decoded.";
    PathEquivalent = "path_equivalent", Hint,
        "Put both under one path; they differ only in the names of parameters.";
    OperationDuplicate = "operation_duplicate", Error,
        "Keep one of the two; the same request would match both.";
    OperationMerged = "operation_merged", Warning,
        "Nothing need be done; calls of both are routed and counted under the name that `detail` gives.";
    OperationIdDuplicate = "operation_id_duplicate", Error,
        "Give every operation an `operationId` of its own.";
    OperationIdMissing = "operation_id_missing", Hint,
        "Add an `operationId`; a name was made of method and path, and it changes when they do.";
    OperationEmpty = "operation_empty", Warning,
        "Describe the operation with at least `responses`.";
    ResponsesMissing = "responses_missing", Hint,
        "Describe the responses; the reference page shows them.";
    MethodInvalid = "method_invalid", Warning,
        "Use a method name of letters that the gateway can serve; CONNECT cannot be one.";
    ParameterIncomplete = "parameter_incomplete", Warning,
        "Give the parameter `name` and `in` (path, query, header or cookie).";
    ParameterDuplicate = "parameter_duplicate", Warning,
        "Keep one of the two; a parameter is known by `name` and `in`.";
    ParameterUndeclared = "parameter_undeclared", Warning,
        "Declare the parameter with `in: path`; its name stands in the path.";
    ParameterUnused = "parameter_unused", Warning,
        "Remove the parameter, or put its name in braces into the path.";
    SecurityUnknown = "security_scheme_unknown", Warning,
        "Define the scheme under `components.securitySchemes`.";

    // References.
    ReferenceUnresolved = "reference_unresolved", Error,
        "Correct the reference, or add what it points to.";
    ReferenceUncertain = "reference_uncertain", Warning,
        "Refer to the place from the root of the document, as `#/components/schemas/Pet`.";
    ReferenceCircular = "reference_circular", Error,
        "Let the references end at a definition.";
    ReferenceExternal = "reference_external", Warning,
        "Bundle the document, for example with `npx @redocly/cli bundle`; only references within it are followed.";
    ReferenceExternalPath = "reference_external_path", Error,
        "Bundle the document, for example with `npx @redocly/cli bundle`; without the other file the operations are not known.";
    FindingsOmitted = "findings_omitted", Hint,
        "Mend the ones that are listed and read the document again.";
}
