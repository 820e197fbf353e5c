use crate::{Finding, Limits, read};

fn findings(text: &str) -> Vec<Finding> {
    let text = format!("openapi: 3.1.0\ninfo: {{title: a, version: b}}\npaths: {{}}\n{text}");
    let findings = match read(&text, &Limits::default()) {
        Ok(contract) => contract.findings,
        Err(refusal) => refusal.findings,
    };
    findings
        .into_iter()
        .filter(|finding| finding.code.starts_with("reference_"))
        .collect()
}

#[test]
fn references_lead_somewhere_or_are_remarked() {
    let cases = [
        (
            "components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {}}}",
            None,
        ),
        (
            "components: {schemas: {A: {$ref: '#/components/schemas/C'}}}",
            Some(("reference_unresolved", "/components/schemas/A/$ref")),
        ),
        (
            "components: {schemas: {A: {$ref: 'pet.yaml#/Pet'}}}",
            Some(("reference_external", "/components/schemas/A/$ref")),
        ),
        (
            "components: {schemas: {A: {$ref: '#pet'}, B: {$anchor: pet}}}",
            None,
        ),
        (
            "components: {schemas: {A: {$ref: '#pet'}}}",
            Some(("reference_unresolved", "/components/schemas/A/$ref")),
        ),
        (
            "components: {schemas: {A: {$id: /a, $defs: {C: {}}, items: {$ref: '#/$defs/C'}}}}",
            Some(("reference_uncertain", "/components/schemas/A/items/$ref")),
        ),
        (
            "components: {schemas: {A: {anyOf: [{}, {$ref: '#/x'}]}}}",
            Some(("reference_unresolved", "/components/schemas/A/anyOf/1/$ref")),
        ),
        (
            "components: {schemas: {A: {items: {$ref: '#/components/schemas/A'}}}}",
            None,
        ),
        (
            "components: {schemas: {A: {$ref: '#/components/schemas/A'}}}",
            None,
        ),
        (
            "components: {responses: {default: {$ref: '#/x'}}}",
            Some(("reference_unresolved", "/components/responses/default/$ref")),
        ),
        (
            "components: {schemas: {A: {properties: {example: {$ref: '#/x'}}}}}",
            Some((
                "reference_unresolved",
                "/components/schemas/A/properties/example/$ref",
            )),
        ),
        (
            "webhooks: {new: {$ref: '#/x'}}",
            Some(("reference_unresolved", "/webhooks/new/$ref")),
        ),
    ];
    for (text, expected) in cases {
        let found = findings(text);
        let found: Vec<_> = found
            .iter()
            .map(|finding| (finding.code.as_str(), finding.pointer.as_str()))
            .collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn data_of_the_author_holds_no_references() {
    for text in [
        "x-more: {$ref: '#/x'}",
        "components: {schemas: {A: {example: {$ref: '#/x'}, default: {$ref: '#/x'}, enum: [{$ref: '#/x'}], const: {$ref: '#/x'}, examples: [{$ref: '#/x'}]}}}",
        "components: {examples: {A: {value: {$ref: '#/x'}}}}",
        "components: {schemas: {A: {properties: {$ref: {type: string}}}}}",
    ] {
        assert_eq!(findings(text), [], "{text}");
    }
}
