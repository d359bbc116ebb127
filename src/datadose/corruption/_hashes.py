"""sha256 of the public files that importers read, by data set and path."""

from __future__ import annotations

SHA256: dict[str, dict[str, str]] = {
    "mmlu_test": {
        "test/abstract_algebra_test.csv": (
            "4be89c0fb1d2419722e88880f6da3da95750367185ecd36f6492a6f74785cf64"
        ),
        "test/anatomy_test.csv": (
            "966dfd5c4579885ebdb8c05d6754ae5834f672632586d8595be3c0f9360e6f4e"
        ),
        "test/astronomy_test.csv": (
            "87c9c3cb5a55395c70dd9ed521dd7d2629fd4ff236c5ab647102e007f52a9341"
        ),
        "test/business_ethics_test.csv": (
            "cd3fc3a85a34cb17e6c5b2fb68ea61e7800b31120d92934019f1e17f4832fbd4"
        ),
        "test/clinical_knowledge_test.csv": (
            "d7c23fd4e75d0a99f042a5d55221ba8465ffc9c9042bc4c30bb07f45d2199dac"
        ),
        "test/college_biology_test.csv": (
            "e1204cb9d19887ea266145f038b5d4cc1fbc33d7efce186259c4ecca1cbe3119"
        ),
        "test/college_chemistry_test.csv": (
            "4d61d7887f845b887c52ac928b6dffdcf2468d79f3d0fbb4d1731092a51d2552"
        ),
        "test/college_computer_science_test.csv": (
            "d53a1d0d1c4362dacf92a4ff1d6a755beb5a87f24a7301c3c4391fcacc6530b4"
        ),
        "test/college_mathematics_test.csv": (
            "8b5bef14d4209c7918eaf947e4f12a5ae9470567722d8ba9761302d733e8ac71"
        ),
        "test/college_medicine_test.csv": (
            "9c533cfff89edaa317b2e79bbabcdd5e2e522e019679cb4a6475e5f2a1861b1e"
        ),
        "test/college_physics_test.csv": (
            "079c3696eda22c13b0472de245c7bb4918315b59481964109a4f65d2a35b4243"
        ),
        "test/computer_security_test.csv": (
            "8e40f809858db9dd8585036b53984e570b6101f72be2214b85e979c7fafa307f"
        ),
        "test/conceptual_physics_test.csv": (
            "7b39a241bb20424fd2a4e0e37ce05d94865ffc44191d8be4063be0e973312256"
        ),
        "test/econometrics_test.csv": (
            "10eb6b2d3a519a463872ef75902991b51ebf45865b29888e86d40228ace24029"
        ),
        "test/electrical_engineering_test.csv": (
            "8b0d747a97cb2cbbd8926c8deb2cda6073da6d5d3cc099693aa7761be938f5e4"
        ),
        "test/elementary_mathematics_test.csv": (
            "50aca74e92c6ffa50ada650f9b14af333490ea7c6649c73ccde48b78051dc27c"
        ),
        "test/formal_logic_test.csv": (
            "bc2dc7373a664ae72e166dcbe3f7aaf1bb65b99f106f1831f335c53467f35248"
        ),
        "test/global_facts_test.csv": (
            "84d6bcd165fba01327a8c5503239da9a00b7bd8a1b48db61d5774de29ee823aa"
        ),
        "test/high_school_biology_test.csv": (
            "cfaba2b58b9714d2a6983a90bce17f14cc44cfc8195b20f8f65fef70d21331b9"
        ),
        "test/high_school_chemistry_test.csv": (
            "15171de0d3bb730b348736625e34d564c34ff7d790a77e93f9bcd8d332ab63d5"
        ),
        "test/high_school_computer_science_test.csv": (
            "c203732c6ea575e14ef54d6fbc91a5fe87b958c6a6e0b035038e6c65baff6e88"
        ),
        "test/high_school_european_history_test.csv": (
            "09983655452c3c40ba466050ec82252f02a235e5946734f4d73b73688fc9509b"
        ),
        "test/high_school_geography_test.csv": (
            "b59382702daeb29a5ff8e255d5a22a33775c79859defd089a1cd835e0949b3af"
        ),
        "test/high_school_government_and_politics_test.csv": (
            "fbd7a89eb2c7806097e18b40950e44e0580e6f97cd151f01a216bb575c2d7903"
        ),
        "test/high_school_macroeconomics_test.csv": (
            "e60b488a00f908bed94e5ed46638506a203bab0763fc22d20a3bbf0d939f5d02"
        ),
        "test/high_school_mathematics_test.csv": (
            "fe8f7a154834bba30947401ba37ea6c7afdcfba82ddc341c79b5d3016991d290"
        ),
        "test/high_school_microeconomics_test.csv": (
            "a250cc4976654e479cecdb7b66046ce2412df3e5e1b9c3d145ed344eae9a2256"
        ),
        "test/high_school_physics_test.csv": (
            "a217233b6c1f1aa703d3d1535de8eec218a55e5c1aee21d89ee9046a81fb9ff0"
        ),
        "test/high_school_psychology_test.csv": (
            "88c33b6b0ade567d07b8b5b074effdb52f31d773541fd71e86cb0d85a8daf7bf"
        ),
        "test/high_school_statistics_test.csv": (
            "d62843d2fd084d6af1c8a0a6491d0aa642c34a7a68476605b9b3db5841e63d3f"
        ),
        "test/high_school_us_history_test.csv": (
            "0338dea3b11881be53c2208ae8dbb571c792c0dca6f0b36a352147c0be81625e"
        ),
        "test/high_school_world_history_test.csv": (
            "7787343ae18e4e1ef833c8630c0c914c62f42c2f35d8b90f4bec2eecccfc161e"
        ),
        "test/human_aging_test.csv": (
            "01299d7e0ae4a8d082daeecc140445ce7393b464040bd810b0a60a370ae5502e"
        ),
        "test/human_sexuality_test.csv": (
            "5fd0d3d6f783ae4adeb7c89ac6e990fd9775e181684f06f6ca006ec175c805a2"
        ),
        "test/international_law_test.csv": (
            "51b3a6d74cc84651b2355d2823c30d993015ddfe8ef39725da4e0442f29489fc"
        ),
        "test/jurisprudence_test.csv": (
            "bf7a770aebfbdb181abc2c26ffd7a01ab31f93c7e2dfe6924c57c7bca4a0dff6"
        ),
        "test/logical_fallacies_test.csv": (
            "3fe8b48c74832525556455d49960cc0c3cff37496783348043ff69a1863c2244"
        ),
        "test/machine_learning_test.csv": (
            "b579bd7dfc9319cd8810a723c8e662afbab810fe64d775fc57ec24cfb55b3af1"
        ),
        "test/management_test.csv": (
            "4a535a11bb480a09a302e86d157ae2d33e054cfa00e4265fe300a9408b87ec6b"
        ),
        "test/marketing_test.csv": (
            "ecf0ae0ae906194d033ca7d7746eaf201232eccb78ee24147e737473f751233d"
        ),
        "test/medical_genetics_test.csv": (
            "4cf70b253e326ee5bcff6e14091765c64003c0d853a58dbc6a5737281356766d"
        ),
        "test/miscellaneous_test.csv": (
            "f850dd48e37a545cef57741206598de71e2b2f6b008c8c7a51a4530987ae3ee7"
        ),
        "test/moral_disputes_test.csv": (
            "673f5e9054f55fc5e165a3ed01e1b13eb1ee5a3405055818b50532e05de9bfdd"
        ),
        "test/moral_scenarios_test.csv": (
            "39599417ee0e5eabaca8c4686afc9ba7d0e34f858bce580caa59ee34b264af0a"
        ),
        "test/nutrition_test.csv": (
            "b5ef9739b7846733797f73f2cc67715d41160719e8846e0d529a61f2d6d659d0"
        ),
        "test/philosophy_test.csv": (
            "a0f0c6fc9e4f08c04ff3a339996c4ed688a9fbe75d205fff4b9d3549fb49fa1e"
        ),
        "test/prehistory_test.csv": (
            "8d44938332ea3d199cfa51a18ef69af972aa33ca4af7b5f5bc62e768a31f949a"
        ),
        "test/professional_accounting_test.csv": (
            "a0960b00b979aec320d8e74e1492683df5709000decc4752a67792fe66f8478a"
        ),
        "test/professional_law_test.csv": (
            "1bb6dd95b4b6480ca815ee31102e9636fc5634062d27cefb48ca2b1d382abce8"
        ),
        "test/professional_medicine_test.csv": (
            "d6cb72e2238d5a3885ee28c6194bf62fff9c2799f9aabeac8aec3b89f122d438"
        ),
        "test/professional_psychology_test.csv": (
            "322b8268bf89d9bac278120a0a11e5992b329797b4afe3d76bdd4fb847a94b31"
        ),
        "test/public_relations_test.csv": (
            "836cceb16b257c344e11f7ebee4e889284273eda5e0c6bdcb124cffa9dbb0673"
        ),
        "test/security_studies_test.csv": (
            "ab7634702670ee0d5e98b852f5bcfad2821ff9a2e909d223de05422c948f6638"
        ),
        "test/sociology_test.csv": (
            "f6c464600032aa2bb53294ad53217fbb650601eee206af947b3ce4c587ff5bed"
        ),
        "test/us_foreign_policy_test.csv": (
            "2821ee009a2b1b7d4adc5a212a0bad7fe05d377455de0fe0841beab8f00142e1"
        ),
        "test/virology_test.csv": (
            "4355b9d79142da0e44a767a495a277733fd89ad67236cbbe3f42ff3a6d46b483"
        ),
        "test/world_religions_test.csv": (
            "3be96b2465419289c4fe0c8a0d003003facd243c8982c6daafc6ac90a40bd507"
        ),
    },
    "medqa_medmcqa_pubmedqa": {
        "medmcqa/data/dev.json": (
            "a2b5f53890f4e742b728378fb847bc5338088d48ea01218676379f587270af31"
        ),
    },
    "truthfulqa": {
        "TruthfulQA.csv": ("b8d8ef1e12f98b4f2a9f47abc9765da0640b182b6c5d9b92f0c1a1f2f1e02e5c"),
    },
    "tatqa": {
        "tatqa_dataset_dev.json": (
            "8da095a819af6db3c14877c6df2d4d29960e41d1a63dd1fa853507bd2a616af5"
        ),
        "tatqa_dataset_test_gold.json": (
            "c4d08418359c1d76468dec420ee748a37f48c06b63cb8ec2766f19d5d314b597"
        ),
    },
    "humanevalpack_buggy_pairs": {
        "humanevalpack.jsonl": ("b1376d72be4bd016a62ad043d9de3846edb8d63edf1222da802a31330c14c3a7"),
    },
    "mbpp": {
        "mbpp.jsonl": "ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f",
    },
}
